-- What a household is worth and likes, derived from its receipts up to the end of 2017.
with lines as (
  select * from analytics.purchases where purchased_at < timestamp '2018-01-01'
),
shares as (
  select department, sum(sales_value) / sum(sum(sales_value)) over () as share from lines group by department
),
departments as (
  -- the department that weighs most beyond its usual weight, among those with a twentieth of the household's spend
  select household_id, department,
    row_number() over (partition by household_id order by weight / share desc, department) as place
  from (
    select household_id, department, sum(sales_value) / sum(sum(sales_value)) over (partition by household_id) as weight
    from lines
    group by household_id, department
  )
  join shares using (department)
  where weight >= 0.05 and department not in ('FUEL', 'MISCELLANEOUS', 'COUPON')
),
stores as (
  select household_id, store_id,
    row_number() over (partition by household_id order by count(distinct basket_id) desc, store_id) as place
  from lines
  group by household_id, store_id
)
select
  l.household_id,
  sum(l.sales_value) as lifetime_value,
  count(distinct l.basket_id) as baskets,
  cast(sum(l.sales_value) / count(distinct l.basket_id) as decimal(12, 2)) as average_basket,
  min(l.purchased_at) as first_purchase_date,
  max(l.purchased_at) as last_purchase_date,
  any_value(d.department) as preferred_department,
  any_value(s.store_id) as preferred_store,
  cast(sum(l.sales_value) filter (where l.brand = 'Private') / nullif(sum(l.sales_value), 0) as double) as private_label_share,
  sum(l.coupon_discount) as coupon_savings,
  list(distinct l.department order by l.department) filter (where trim(l.department) <> '') as departments_shopped
from lines l
left join departments d on d.household_id = l.household_id and d.place = 1
left join stores s on s.household_id = l.household_id and s.place = 1
group by l.household_id
