-- One row per shopping trip.
select
  household_id,
  basket_id,
  any_value(store_id) as store_id,
  sum(sales_value) as total,
  sum(quantity) as items,
  count(distinct department) as departments,
  sum(loyalty_discount) as loyalty_discount,
  sum(coupon_discount) as coupon_discount,
  min(purchased_at) as visited_at
from analytics.purchases
group by household_id, basket_id
