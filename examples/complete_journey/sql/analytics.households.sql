-- One row per household: everybody who bought or is known by demographics.
select household_id, min(since) as customer_since
from (
  select household_id, cast(transaction_timestamp as date) as since from retail.transactions
  union all
  select household_id, null from retail.demographics
)
group by household_id
