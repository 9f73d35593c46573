//! The tables, once for both databases. It mirrors `migrations/`; comments on tables and columns are there.

diesel::table! {
    projects (id) {
        id -> BigInt,
        name -> Text,
        token -> Text,
        timezone -> Nullable<Text>,
        property_matching_version -> Nullable<Integer>,
    }
}

diesel::table! {
    group_types (project_id, group_type_index) {
        project_id -> BigInt,
        group_type_index -> SmallInt,
        name -> Text,
    }
}

diesel::table! {
    flags (id) {
        id -> Integer,
        project_id -> BigInt,
        key -> Text,
        name -> Nullable<Text>,
        filters -> Text,
        active -> Bool,
        archived -> Bool,
        deleted -> Bool,
        ensure_experience_continuity -> Bool,
        version -> BigInt,
        evaluation_runtime -> Nullable<Text>,
        evaluation_contexts -> Nullable<Text>,
        bucketing_identifier -> Nullable<Text>,
        has_experiment -> Bool,
        is_remote_configuration -> Bool,
    }
}

diesel::table! {
    /// More columns of the same table: those that only people read. One mention of a table has room for sixteen.
    #[sql_name = "flags"]
    flag_details (id) {
        id -> Integer,
        project_id -> BigInt,
        tags -> Nullable<Text>,
        created_at_microseconds -> Nullable<BigInt>,
        updated_at_microseconds -> Nullable<BigInt>,
        created_by -> Nullable<Text>,
        updated_by -> Nullable<Text>,
    }
}

diesel::table! {
    cohorts (id) {
        id -> BigInt,
        project_id -> BigInt,
        name -> Nullable<Text>,
        deleted -> Bool,
        is_static -> Bool,
        filters -> Nullable<Text>,
        groups -> Nullable<Text>,
        cohort_type -> Nullable<Text>,
        condition_type -> Nullable<Text>,
        description -> Nullable<Text>,
        version -> BigInt,
        created_at_microseconds -> Nullable<BigInt>,
        created_by -> Nullable<Text>,
        calculated_at_microseconds -> Nullable<BigInt>,
    }
}

diesel::table! {
    persons (id) {
        id -> BigInt,
        project_id -> BigInt,
        properties -> Text,
        created_at_microseconds -> BigInt,
        is_identified -> Bool,
    }
}

diesel::table! {
    person_distinct_ids (project_id, distinct_id) {
        project_id -> BigInt,
        distinct_id -> Text,
        person_id -> BigInt,
        position -> Integer,
    }
}

diesel::table! {
    cohort_members (person_id, cohort_id) {
        project_id -> BigInt,
        person_id -> BigInt,
        cohort_id -> BigInt,
    }
}

diesel::table! {
    hash_key_overrides (person_id, flag_key) {
        project_id -> BigInt,
        person_id -> BigInt,
        flag_key -> Text,
        hash_key -> Text,
    }
}

diesel::table! {
    groups (project_id, group_type_index, key) {
        project_id -> BigInt,
        group_type_index -> SmallInt,
        key -> Text,
        properties -> Text,
    }
}

diesel::table! {
    secret_tokens (fingerprint) {
        fingerprint -> Text,
        project_id -> BigInt,
    }
}

diesel::table! {
    personal_keys (project_id, label) {
        project_id -> BigInt,
        label -> Text,
        fingerprint -> Text,
        scopes -> Text,
    }
}

diesel::table! {
    changes (sequence) {
        sequence -> BigInt,
        project_id -> BigInt,
        kind -> Text,
        object -> Text,
        item -> Nullable<BigInt>,
        at_microseconds -> Nullable<BigInt>,
        author -> Nullable<Text>,
        activity -> Nullable<Text>,
        old_values -> Nullable<Text>,
        new_values -> Nullable<Text>,
    }
}
