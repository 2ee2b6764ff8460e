-- How campaigns reached a household and what came back, up to the end of 2017.
with mailed as (
  select household_id, count(distinct campaign_id) as campaigns, max(start_date) as last_campaign_date
  from analytics.campaign_targetings
  where start_date < timestamp '2018-01-01'
  group by household_id
),
redeemed as (
  select household_id, count(*) as coupons, max(redemption_date) as last_redemption_date
  from analytics.coupon_redemptions
  where redemption_date < timestamp '2018-01-01'
  group by household_id
)
select
  household_id,
  m.campaigns as campaigns_received,
  m.last_campaign_date,
  coalesce(r.coupons, 0) as coupons_redeemed,
  r.last_redemption_date
from mailed m
full join redeemed r using (household_id)
