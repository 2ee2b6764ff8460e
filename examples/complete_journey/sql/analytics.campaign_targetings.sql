-- One row per household and campaign it was mailed.
select c.household_id, c.campaign_id, d.campaign_type, d.start_date, d.end_date
from retail.campaigns c
join retail.campaign_descriptions d using (campaign_id)
