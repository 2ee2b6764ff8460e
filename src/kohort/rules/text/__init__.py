"""The text form of rules: what a person types, and the same rule printed back.

```
rule        = expression
expression  = conjunction { "or" conjunction }
conjunction = negation { "and" negation }
negation    = { "not" } primary
primary     = ( "(" expression ")" | list | condition ) { suffix }
list        = ( "all" | "any" ) "(" [ expression { "," expression } ] ")"
            | "expr" "(" text { "," expression } ")"
condition   = "everybody" | "nobody" | attribute | behavior | reference | sequence

attribute   = name [ "::" name ] [ matching ] operator
behavior    = name { aggregation | operator | time | "where" filter | "in" "any" duration }
reference   = "in" ( "segment" | "funnel stage" | "variant" | "predictive score" | "ml attribute" ) text
sequence    = "sequence" "(" step "," "then" step { "," "then" step } ")"
step        = name { "within" duration | time | "where" filter }

aggregation = ( "count" | "count" "(" "distinct" names ")" | "first" "(" name [ "by" name ] ")"
              | "last" "(" name [ "by" name ] ")" | ( "sum" | "average" | "min" | "max" ) "(" name ")" ) [ "by" names ]
time        = "in" "last" number unit | "in" "next" number unit | ( "this" | "last" | "next" ) unit
            | "today" [ "and beyond" ] | ( "since" | "after" | "until" | "before" ) ( text | moment )
filter      = an expression over row conditions: name [ matching ] operator, with "all" and "any" lists

matching    = "any" | "all" | ( "at least" | "at most" | "exactly" ) number
operator    = ( "=" | "!=" | ">" | ">=" | "<" | "<=" ) value | "is" [ "not" ] "null" | [ "not" ] test
test        = ( ">" | ">=" | "<" | "<=" ) value | "between" bound "and" bound | "in" "(" literal { "," literal } ")"
            | ( "contains" | "starts with" | "ends with" ) ( text | "any" "(" text { "," text } ")" )
            | "matches" text | "within" window
window      = ( "past" | "next" ) number unit | ( "this" | "last" | "next" | "current" ) unit | "today" [ "and beyond" ]
            | "next" duration "to" duration | [ duration ] [ "back" ] "from" ( moment | "start of" unit )
bound       = value | "*"
value       = literal | "timestamp" text | moment
moment      = duration "ago" | duration "ahead" | "now"
literal     = text | number | "true" | "false"
duration    = number unit { number unit }
unit        = "year" | "quarter" | "month" | "week" | "day" | "hour" | "minute" | "second", also in plural

suffix      = "limit" number [ "percent" ] [ "by" key { "," key } ] | "as" text | "with" JSON-object
key         = ( name | "value" ) [ "desc" ]
names       = name { "," name }
name        = letters, digits, "_" and inner dots of any script, not beginning with a digit | '"' any text '"'
text        = "'" any text "'"          a quote inside is doubled: 'it''s'; so it is in names
number      = 1 | 1.5 | -3 | 1e6        1 is whole, 1.0 is not
```

What the grammar does not say:

- Words are read in any case. `and` binds tighter than `or`. A single condition is the only member of the rule's `all`.
  `(a and b) and c` keeps its inner group; parentheses around one condition, or around everything, mean nothing.
- `not` is the complement: nulls match. The `not` of an operator (`!=`, `not in`, `not > 5`) is not: nulls never match.
- A name alone is a behavior that happened at least once. A name with an aggregation, a time phrase or `where` is a behavior,
  a name with just an operator an attribute. With a catalog a name that is only one of the two is read as what it is, and an
  attribute of type boolean may stand alone.
- A time phrase is the first condition of the behavior's filter, on its time. `and` and `or` after `where` belong to `where`:
  put the behavior in parentheses to go on after it. `and` goes on in the list that the time phrase began; anything else
  (`or`, or a group in parentheses) is one more member of it. Without a time phrase it is the whole filter.
  `with` after a row condition belongs to that row condition.
- `limit` belongs to the condition or parentheses right before it; after an unparenthesised `and` or `or` it is refused as unclear.
  `not x limit 10` limits those who are not x.
- Also understood: `==`, `<>`, `is 'Gold'`, `is not 'Gold'`, `equals`, `more than`, `less than`, `at least 3 times`, `only` (all),
  `avg`, `per` (by), `past` (last), `in the last`, `this`/`last` without `in`, bare dates such as 2024-01-31, `%`, `asc`,
  `past 1 to 5 days`, double quotes around a text where only a text can stand.
"""

from kohort.rules.text.parse import parse_rule, parse_with_places
from kohort.rules.text.write import write_rule

__all__ = ["parse_rule", "parse_with_places", "write_rule"]
