-- One row per line on a receipt, with what was bought; money as exact decimals.
select
  t.household_id,
  t.basket_id,
  t.store_id,
  t.product_id,
  p.department,
  p.product_category as category,
  p.product_type,
  p.brand,
  t.quantity,
  cast(t.sales_value as decimal(12, 2)) as sales_value,
  cast(t.retail_disc as decimal(12, 2)) as loyalty_discount,
  cast(t.coupon_disc + t.coupon_match_disc as decimal(12, 2)) as coupon_discount,
  t.transaction_timestamp as purchased_at
from retail.transactions t
left join retail.products p using (product_id)
