//! The tables of the two vaults as Diesel sees them; `migrations/` says the same in SQL.

pub mod field {
    diesel::table! {
        backups (id) {
            id -> Text,
            taken_at -> Timestamp,
            verified_at -> Nullable<Timestamp>,
        }
    }
    diesel::table! {
        servers (folder, name) {
            folder -> Text,
            name -> Text,
            seen_at -> Timestamp,
        }
    }
    diesel::table! {
        closing_confirmations (project, folder, name) {
            project -> BigInt,
            folder -> Text,
            name -> Text,
            files -> Text,
            confirmed_at -> Timestamp,
        }
    }
    diesel::table! {
        closing_days (project) {
            project -> BigInt,
            close_on -> Date,
            set_at -> Timestamp,
        }
    }
    diesel::joinable!(closing_days -> projects (project));
    diesel::allow_tables_to_appear_in_same_query!(closing_days, projects, closing_confirmations);
    diesel::table! {
        projects (id) {
            id -> BigInt,
            name -> Text,
            kind -> Text,
            state -> Text,
            created_at -> Timestamp,
            organisation -> Nullable<Text>,
            late_interviews -> BigInt,
        }
    }
    diesel::table! {
        documents (project, name, version) {
            project -> BigInt,
            name -> Text,
            version -> BigInt,
            content -> Binary,
            stored_at -> Timestamp,
        }
    }
    diesel::table! {
        snapshots (project, number) {
            project -> BigInt,
            number -> BigInt,
            early -> Bool,
            unopened -> BigInt,
            taken_at -> Timestamp,
            sealed -> Binary,
        }
    }
    diesel::table! {
        actors (id) {
            id -> BigInt,
            kind -> Text,
        }
    }
    diesel::table! {
        users (id) {
            id -> BigInt,
            login -> Text,
            role -> Text,
            area_level -> Nullable<Text>,
            area_code -> Nullable<Text>,
            area_date -> Nullable<Date>,
            organisation -> Nullable<Text>,
            password -> Text,
            must_change -> Bool,
            second_factor -> Nullable<Binary>,
            second_factor_step -> BigInt,
            failures -> BigInt,
            locked_until -> Nullable<Timestamp>,
            disabled -> Bool,
            created_at -> Timestamp,
        }
    }
    diesel::table! {
        sessions (token_hash) {
            token_hash -> Binary,
            user_id -> BigInt,
            second_factor -> Bool,
            created_at -> Timestamp,
            expires_at -> Timestamp,
        }
    }
    diesel::table! {
        user_projects (user_id, project) {
            user_id -> BigInt,
            project -> BigInt,
        }
    }
    diesel::table! {
        grants (id) {
            id -> Text,
            project -> BigInt,
            user_id -> BigInt,
            approver -> BigInt,
            purpose -> Text,
            until -> Date,
            created_at -> Timestamp,
        }
    }
    diesel::table! {
        forms (id) {
            id -> Text,
            project -> BigInt,
            form_id -> Text,
            version -> Text,
            title -> Text,
            xml -> Binary,
            workbook -> Nullable<Binary>,
            hash -> Text,
            state -> Text,
            published_at -> Timestamp,
        }
    }
    diesel::table! {
        form_drafts (project, form_id) {
            project -> BigInt,
            form_id -> Text,
            version -> Text,
            title -> Text,
            xml -> Binary,
            workbook -> Nullable<Binary>,
            made_by -> BigInt,
            made_at -> Timestamp,
            confirmed_by -> Nullable<BigInt>,
            reason -> Nullable<Text>,
        }
    }
    diesel::table! {
        form_draft_files (project, form_id, name) {
            project -> BigInt,
            form_id -> Text,
            name -> Text,
            content -> Binary,
        }
    }
    diesel::table! {
        form_confirmations (form) {
            form -> Text,
            confirmed_by -> Text,
            reason -> Text,
            wording -> Text,
            confirmed_at -> Timestamp,
        }
    }
    diesel::table! {
        form_files (id) {
            id -> Text,
            form -> Text,
            name -> Text,
            content -> Binary,
            hash -> Text,
        }
    }
    diesel::table! {
        app_users (id) {
            id -> Text,
            project -> BigInt,
            display_name -> Text,
            code -> Nullable<Text>,
            token_hash -> Binary,
            created_at -> Timestamp,
            revoked -> Bool,
            actor -> Nullable<BigInt>,
            expires_at -> Nullable<Timestamp>,
        }
    }
    diesel::table! {
        cases (id) {
            id -> Text,
            project -> BigInt,
            village -> Text,
            commune -> Text,
            district -> Text,
            household -> Nullable<BigInt>,
            stratum -> Text,
            drawn_order -> BigInt,
            probability_1 -> Double,
            probability_2 -> Nullable<Double>,
            role -> Text,
            status -> Text,
            assigned_to -> Nullable<Text>,
            sampling -> Text,
        }
    }
    diesel::table! {
        listings (id) {
            id -> Text,
            project -> BigInt,
            village -> Text,
            households -> BigInt,
            listed_at -> Timestamp,
            listed_by -> Nullable<Text>,
        }
    }
    diesel::table! {
        visits (id) {
            id -> Text,
            project -> BigInt,
            case_id -> Text,
            attempt -> BigInt,
            disposition -> Text,
            visited_at -> Timestamp,
            visited_by -> Nullable<Text>,
        }
    }
    diesel::table! {
        submissions (id) {
            id -> Text,
            project -> BigInt,
            form_id -> Text,
            form_version -> Text,
            instance -> Binary,
            content -> Binary,
            first_instance -> Binary,
            field_half -> Binary,
            state -> Text,
            standing -> Text,
            lease_until -> Nullable<Timestamp>,
            supersedes -> Nullable<Text>,
            sender -> Nullable<Text>,
            backups_from -> Nullable<Timestamp>,
        }
    }
    diesel::table! {
        device_syncs (app_user) {
            app_user -> Text,
            project -> BigInt,
            synced_at -> Timestamp,
            waiting -> BigInt,
        }
    }
    diesel::table! {
        missing_interviews (project, form_id, instance, app_user) {
            project -> BigInt,
            form_id -> Text,
            instance -> Binary,
            app_user -> Text,
            first_missed_at -> Timestamp,
        }
    }
    diesel::table! {
        enumerators (app_user) {
            app_user -> Text,
            project -> BigInt,
            languages -> Text,
            areas -> Text,
        }
    }
    diesel::table! {
        interpreters (project, code) {
            project -> BigInt,
            code -> Text,
            languages -> Text,
            areas -> Text,
            pledged_on -> Nullable<Date>,
        }
    }
    diesel::table! {
        teams (project, village) {
            project -> BigInt,
            village -> Text,
            first_enumerator -> Text,
            second_enumerator -> Nullable<Text>,
            interpreter -> Nullable<Text>,
        }
    }
    diesel::table! {
        villages (project, village) {
            project -> BigInt,
            village -> Text,
            stratum -> Text,
            state -> Text,
            drawn_order -> Nullable<BigInt>,
            postponed_until -> Nullable<Date>,
            reason -> Nullable<Text>,
            replaced_by -> Nullable<Text>,
        }
    }
    diesel::table! {
        back_checks (case_id) {
            case_id -> Text,
            project -> BigInt,
            drawn_at -> Timestamp,
            sealed -> Nullable<Binary>,
            done_at -> Nullable<Timestamp>,
        }
    }
    diesel::table! {
        case_reviews (case_id) {
            case_id -> Text,
            project -> BigInt,
            decision -> Text,
            decided_by -> Text,
            decided_at -> Timestamp,
        }
    }
    diesel::table! {
        withdrawals (project, form_id, instance) {
            project -> BigInt,
            form_id -> Text,
            instance -> Binary,
        }
    }
    diesel::table! {
        attachments (id) {
            id -> Text,
            submission -> Text,
            name -> Binary,
            content -> Binary,
            sealed_name -> Binary,
            file -> Text,
            size -> BigInt,
            standing -> Text,
        }
    }
    diesel::table! {
        reviews (project, form_id, first_instance) {
            project -> BigInt,
            form_id -> Text,
            first_instance -> Binary,
            state -> Nullable<Text>,
            decided_at -> Timestamp,
        }
    }
    diesel::table! {
        comments (id) {
            id -> Text,
            project -> BigInt,
            form_id -> Text,
            first_instance -> Binary,
            actor -> BigInt,
            sealed_body -> Binary,
            created_at -> Timestamp,
        }
    }
    diesel::table! {
        datasets (project, name) {
            project -> BigInt,
            name -> Text,
            approval_required -> Bool,
            created_at -> Timestamp,
        }
    }
    diesel::table! {
        dataset_properties (project, dataset, name) {
            project -> BigInt,
            dataset -> Text,
            name -> Text,
            created_at -> Timestamp,
        }
    }
    diesel::table! {
        entities (project, dataset, uuid) {
            project -> BigInt,
            dataset -> Text,
            uuid -> Text,
            version -> BigInt,
            label -> Text,
            data -> Text,
            creator -> BigInt,
            created_at -> Timestamp,
            changed_by -> BigInt,
            changed_at -> Timestamp,
            deleted_at -> Nullable<Timestamp>,
        }
    }
    diesel::table! {
        audit (number) {
            number -> BigInt,
            happened_at -> Timestamp,
            who -> Text,
            kind -> Text,
            detail -> Text,
            previous -> Binary,
            hash -> Binary,
        }
    }
    diesel::allow_tables_to_appear_in_same_query!(missing_interviews, submissions);
}

pub mod answer {
    diesel::table! {
        answers (id) {
            id -> Text,
            project -> BigInt,
            sealed -> Nullable<Binary>,
        }
    }
}

/// In both vaults.
pub mod either {
    diesel::table! {
        vault (kind) {
            kind -> Text,
        }
    }
    diesel::table! {
        __diesel_schema_migrations (version) {
            version -> Text,
            run_on -> Timestamp,
        }
    }
}
