DROP INDEX cohort_members_cohort;
CREATE INDEX cohort_members_cohort ON cohort_members (project_id, cohort_id);
