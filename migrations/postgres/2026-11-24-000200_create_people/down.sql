DROP TABLE groups;
DROP TABLE hash_key_overrides;
DROP TABLE cohort_members;
DROP TABLE person_distinct_ids;
DROP TABLE persons;
