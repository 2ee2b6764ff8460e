-- One row per coupon handed in.
select r.household_id, r.coupon_upc, r.campaign_id, d.campaign_type, r.redemption_date
from retail.coupon_redemptions r
left join retail.campaign_descriptions d using (campaign_id)
