//! Storage: an interview is in both vaults exactly once, whatever is resent, corrected, withdrawn or interrupted.

use std::sync::{Arc, Barrier};

use langnghe::db::intake::{self, Interview};
use langnghe::db::{AnswerVault, AuditError};
use langnghe::db::{
    AttachmentKept, CaseRole, CaseStatus, CaseVisit, Confirmation, Error, FieldVault, IntakeError, Listing,
    NewAttachment, NewCase, Outcome, ProjectKind, PublishError, Settled, Standing,
};
use uuid::Uuid;

use crate::databases::{Place, Wave, execute, minutes, morning, on_both_backends, xform};

fn new_case(household: i64, role: CaseRole) -> NewCase {
    NewCase {
        village: "SYN-00017".to_owned(),
        commune: "00694".to_owned(),
        district: "024".to_owned(),
        household: Some(household),
        stratum: "024/Mong".to_owned(),
        drawn_order: household,
        probability_1: 0.125,
        probability_2: Some(0.2),
        role,
        assigned_to: None,
        sampling: r#"{"village_id":"SYN-00017"}"#.to_owned(),
    }
}

fn visit(case: Uuid, attempt: i64, disposition: &str, status: CaseStatus) -> CaseVisit {
    CaseVisit { case, attempt, disposition: disposition.to_owned(), visited_at: morning(), status }
}

on_both_backends! {
    fn tables_go_up_down_and_up_again(place) {
        drop((place.field(), place.answers()));
        FieldVault::tear_down(&place.field_url).expect("the field tables go down");
        AnswerVault::tear_down(&place.answers_url).expect("the answer tables go down");
        let wave = Wave::new(place);
        wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("the vaults work again");
        assert_eq!(wave.submissions().len(), 1);
    }

    fn both_halves_come_back_byte_for_byte(place) {
        let wave = Wave::new(place);
        let sent = wave.interview("uuid:a", "rất hài lòng");
        let stored = wave.intake.store(&wave.key, sent.clone()).expect("stored");
        assert_eq!(stored.outcome, Outcome::New);

        let found = wave.intake.field().read(|db| db.find_submission(wave.project, "hh", "uuid:a", &wave.key));
        let found = found.expect("the vault is read").expect("the interview is there");
        assert_eq!(Some(found.id), stored.submission);
        assert_eq!(found.xml, sent.field_half);
        assert_eq!(found.received_at, morning());
        assert_eq!(found.device.as_deref(), Some("collect:tablet-7"));
        let answer = wave.intake.answers().read(|db| db.find_answer(wave.project, found.token, &wave.key));
        let answer = answer.expect("the vault is read").expect("the answer is there");
        assert_eq!(answer.xml, sent.answer_half);
        assert_eq!(answer.reporting_area.as_deref(), Some("east"));
    }

    fn the_same_interview_sent_again_is_stored_once(place) {
        let wave = Wave::new(place);
        let outcomes: Vec<Outcome> = (0..3)
            .map(|_| wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored").outcome)
            .collect();
        assert_eq!(outcomes, [Outcome::New, Outcome::AlreadyStored, Outcome::AlreadyStored]);
        assert_eq!(wave.answers().len(), 1);
        assert_eq!(wave.intake.field().read(|db| db.count_submissions(wave.project)).expect("counted"), 1);
    }

    fn other_content_under_a_taken_id_is_kept_beside_it_once(place) {
        let wave = Wave::new(place);
        let outcomes: Vec<Outcome> = ["yes", "no", "no", "yes"]
            .into_iter()
            .map(|answer| wave.intake.store(&wave.key, wave.interview("uuid:a", answer)).expect("stored").outcome)
            .collect();
        assert_eq!(outcomes, [Outcome::New, Outcome::Conflict, Outcome::Conflict, Outcome::AlreadyStored]);
        let standings: Vec<Standing> = wave.submissions().iter().map(|submission| submission.standing).collect();
        assert_eq!(standings, [Standing::Current, Standing::Conflict]);
        assert_eq!(wave.answers().len(), 2, "both answers are kept");
        assert_eq!(wave.current(), [("uuid:a".to_owned(), "<answers><q1>yes</q1></answers>".to_owned())]);
    }

    fn one_instance_id_is_free_in_each_form(place) {
        let wave = Wave::new(place);
        let other = langnghe::db::NewForm {
            project: wave.project,
            form_id: "village".to_owned(),
            version: "1".to_owned(),
            title: "Villages".to_owned(),
            xml: xform("| text | q1 | Q1 |"),
            workbook: None,
            files: vec![("itemsets.csv".to_owned(), b"list_name,name\n".to_vec())],
            confirmation: None,
        };
        wave.intake.field().transaction(|db| db.publish_form(other, morning())).expect("published");
        for form_id in ["hh", "village"] {
            let incoming = intake::Incoming { form_id: form_id.to_owned(), ..wave.interview("uuid:a", "yes") };
            assert_eq!(wave.intake.store(&wave.key, incoming).expect("stored").outcome, Outcome::New);
        }
    }

    fn an_edit_takes_the_place_of_its_original_which_is_kept(place) {
        let wave = Wave::new(place);
        let store = |incoming| wave.intake.store(&wave.key, incoming).map(|stored| stored.outcome);
        assert_eq!(store(wave.interview("uuid:a", "yes")).expect("stored"), Outcome::New);
        assert_eq!(store(wave.edit("uuid:b", "uuid:a", "no")).expect("stored"), Outcome::Edited);
        assert_eq!(store(wave.edit("uuid:b", "uuid:a", "no")).expect("stored"), Outcome::AlreadyStored);
        assert_eq!(store(wave.edit("uuid:b", "uuid:a", "perhaps")).expect("stored"), Outcome::Conflict);
        assert_eq!(store(wave.interview("uuid:a", "yes")).expect("stored"), Outcome::Superseded);
        assert!(matches!(store(wave.edit("uuid:c", "uuid:a", "x")), Err(IntakeError::OriginalSuperseded)));
        assert!(matches!(store(wave.edit("uuid:d", "uuid:never", "x")), Err(IntakeError::UnknownOriginal)));
        assert_eq!(store(wave.edit("uuid:e", "uuid:b", "yes after all")).expect("stored"), Outcome::Edited);

        assert_eq!(
            wave.current(),
            [("uuid:e".to_owned(), "<answers><q1>yes after all</q1></answers>".to_owned())]
        );
        let firsts: Vec<String> = wave.submissions().into_iter().map(|version| version.first_instance_id).collect();
        assert_eq!(firsts, ["uuid:a"; 4], "every version knows the first instance id of its chain");
    }

    fn a_crash_after_the_reservation_leaves_nothing_and_the_resend_is_stored(place) {
        let wave = Wave::new(place);
        let mut lost = [Interview::prepare(wave.key.clone(), wave.interview("uuid:a", "yes")).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        drop(lost);

        assert!(wave.submissions().is_empty(), "a reservation is no interview");
        let settle = |now| wave.intake.settle_expired(wave.project, &wave.key, now).expect("settled");
        assert_eq!(settle(morning()), Settled::default(), "a running lease is left alone");
        assert_eq!(settle(morning() + minutes(2)), Settled { dropped: 1, ..Settled::default() });
        assert!(wave.answers().is_empty());

        let stored = wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
        assert_eq!(stored.outcome, Outcome::New);
        assert_eq!(wave.current().len(), 1);
        assert_eq!(wave.answers().len(), 1);
    }

    fn a_crash_after_the_answer_is_settled_as_stored_with_its_visit(place) {
        let wave = Wave::new(place);
        let cases = wave.intake.field().transaction(|db| db.create_cases(wave.project, vec![new_case(4, CaseRole::Main)]));
        let case = cases.expect("stored")[0];
        let sent = || intake::Incoming {
            visit: Some(visit(case, 1, "1.1", CaseStatus::Complete)),
            ..wave.interview("uuid:a", "yes")
        };
        let mut lost = [Interview::prepare(wave.key.clone(), sent()).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        intake::insert_answers(wave.intake.answers(), &mut lost).expect("inserted");
        drop(lost);

        let settled = wave.intake.settle_expired(wave.project, &wave.key, morning() + minutes(2)).expect("settled");
        assert_eq!(settled, Settled { confirmed: 1, ..Settled::default() });
        let again = wave.intake.store(&wave.key, sent()).expect("stored");
        assert_eq!(again.outcome, Outcome::AlreadyStored);
        assert_eq!(wave.current().len(), 1);
        assert_eq!(wave.answers().len(), 1);
        let visits = wave.intake.field().read(|db| db.list_visits(wave.project)).expect("read");
        assert_eq!(visits.iter().map(|visit| visit.disposition.as_str()).collect::<Vec<_>>(), ["1.1"]);
        let case = wave.intake.field().read(|db| db.find_case(case)).expect("read").expect("there");
        assert_eq!(case.status, CaseStatus::Complete);
    }

    fn a_resend_carries_on_where_the_lost_one_stopped(place) {
        let wave = Wave::new(place);
        for (instance_id, with_answer) in [("uuid:a", false), ("uuid:b", true)] {
            let mut lost = [Interview::prepare(wave.key.clone(), wave.interview(instance_id, "yes")).expect("prepared")];
            intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
            if with_answer {
                intake::insert_answers(wave.intake.answers(), &mut lost).expect("inserted");
            }
            drop(lost);
            // The lease of the lost one still runs.
            let again = wave.intake.store(&wave.key, wave.interview(instance_id, "yes")).expect("stored");
            assert_eq!(again.outcome, Outcome::New);
        }
        assert_eq!(wave.current().len(), 2);
        assert_eq!(wave.answers().len(), 2);
    }

    /// A server is paused after its reservation, settling gives it up, the client sends again, the server wakes.
    fn a_server_that_slept_beyond_its_lease_cannot_double_an_interview(place) {
        let wave = Wave::new(place);
        let mut sleeper = [Interview::prepare(wave.key.clone(), wave.interview("uuid:a", "yes")).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut sleeper).expect("reserved");
        wave.intake.settle_expired(wave.project, &wave.key, morning() + minutes(2)).expect("settled");
        wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored by another server");

        intake::insert_answers(wave.intake.answers(), &mut sleeper).expect("the vault answers");
        intake::confirm(wave.intake.field(), &mut sleeper).expect("the vault answers");
        let [sleeper] = sleeper;
        assert!(matches!(sleeper.into_result(), Err(IntakeError::Busy)));
        assert_eq!(wave.answers().len(), 1);
        assert_eq!(wave.current().len(), 1);
    }

    fn other_content_waits_for_an_expired_reservation_to_be_settled(place) {
        let wave = Wave::new(place);
        let mut lost = [Interview::prepare(wave.key.clone(), wave.interview("uuid:a", "yes")).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        drop(lost);

        let early = wave.intake.store(&wave.key, wave.interview("uuid:a", "no"));
        assert!(matches!(early, Err(IntakeError::Busy)), "{early:?}");
        let late = intake::Incoming { now: morning() + minutes(2), ..wave.interview("uuid:a", "no") };
        assert_eq!(wave.intake.store(&wave.key, late).expect("stored").outcome, Outcome::New);
        assert_eq!(wave.current(), [("uuid:a".to_owned(), "<answers><q1>no</q1></answers>".to_owned())]);
    }

    fn interviews_are_read_with_both_halves_and_only_the_valid_version(place) {
        let wave = Wave::new(place);
        let store = |incoming| wave.intake.store(&wave.key, incoming).expect("stored");
        store(wave.interview("uuid:a", "yes"));
        store(wave.edit("uuid:b", "uuid:a", "no"));
        store(wave.interview("uuid:b", "in conflict"));
        for n in 0..20 {
            store(wave.interview(&format!("uuid:{n:02}"), "yes"));
        }
        let found = wave.intake.find_interview(wave.project, "hh", "uuid:a", &wave.key).expect("read").expect("kept");
        assert_eq!(found.submission.standing, Standing::Superseded);
        assert_eq!(found.answer.xml, b"<answers><q1>yes</q1></answers>");

        let listed = wave.intake.list_interviews(wave.project, &wave.key).expect("read");
        assert_eq!(listed.len(), 21);
        assert!(listed.iter().all(|interview| interview.submission.token == interview.answer.token));
        assert!(listed.iter().any(|interview| interview.submission.instance_id == "uuid:b"));
        // Twenty arrive in order by chance once in 20! times.
        let arrived: Vec<&str> = listed.iter().map(|interview| interview.submission.instance_id.as_str()).collect();
        assert!(!arrived.is_sorted(), "the order of arrival shows: {arrived:?}");
        assert_eq!(wave.intake.find_interview(wave.project, "hh", "uuid:none", &wave.key).expect("read"), None);
    }

    fn a_withdrawn_interview_is_gone_with_its_edits_and_does_not_come_back(place) {
        let wave = Wave::new(place);
        let store = |incoming| wave.intake.store(&wave.key, incoming).expect("answered").outcome;
        store(wave.interview("uuid:a", "yes"));
        store(wave.edit("uuid:b", "uuid:a", "no"));
        store(wave.interview("uuid:other", "yes"));
        let withdraw = || wave.intake.withdraw(wave.project, "hh", "uuid:b", &wave.key).expect("withdrawn");
        assert_eq!(withdraw(), Some(Vec::new()));
        assert_eq!(withdraw(), None, "there is nothing left to withdraw");

        assert_eq!(store(wave.interview("uuid:a", "yes")), Outcome::Withdrawn);
        assert_eq!(store(wave.edit("uuid:b", "uuid:a", "no")), Outcome::Withdrawn);
        assert_eq!(store(wave.edit("uuid:c", "uuid:b", "later")), Outcome::Withdrawn);
        assert_eq!(wave.current(), [("uuid:other".to_owned(), "<answers><q1>yes</q1></answers>".to_owned())]);
        assert_eq!(wave.answers().len(), 1);
    }

    fn thirty_two_who_send_at_once_are_each_stored_once(place) {
        let wave = Wave::new(place);
        let barrier = Arc::new(Barrier::new(32));
        std::thread::scope(|threads| {
            for sender in 0..32 {
                let (wave, barrier) = (&wave, Arc::clone(&barrier));
                threads.spawn(move || {
                    barrier.wait();
                    for n in 0..8 {
                        let own = wave.interview(&format!("uuid:{sender}-{n}"), "yes");
                        assert_eq!(wave.intake.store(&wave.key, own).expect("stored").outcome, Outcome::New);
                        wave.intake.store(&wave.key, wave.interview(&format!("uuid:all-{n}"), "yes")).expect("stored");
                    }
                });
            }
        });
        assert_eq!(wave.current().len(), 32 * 8 + 8);
        assert_eq!(wave.answers().len(), 32 * 8 + 8);
    }

    /// Two programs on the same vaults: each has its own queue, only the databases are shared.
    fn two_servers_that_get_the_same_interviews_store_each_once(place) {
        let wave = Wave::new(place);
        let second = langnghe::db::Intake::new(place.field(), place.answers());
        let barrier = Arc::new(Barrier::new(16));
        std::thread::scope(|threads| {
            for sender in 0..16 {
                let (wave, second, barrier) = (&wave, &second, Arc::clone(&barrier));
                threads.spawn(move || {
                    let server = if sender % 2 == 0 { &wave.intake } else { second };
                    barrier.wait();
                    for n in 0..6 {
                        let id = format!("uuid:{}", (n + sender) % 6);
                        server.store(&wave.key, wave.interview(&id, "yes")).expect("stored");
                    }
                });
            }
        });
        assert_eq!(wave.current().len(), 6);
        assert_eq!(wave.answers().len(), 6);
    }

    fn of_many_contents_under_one_id_one_stands_and_all_are_kept(place) {
        let wave = Wave::new(place);
        let barrier = Arc::new(Barrier::new(8));
        let outcomes: Vec<Outcome> = std::thread::scope(|threads| {
            let senders: Vec<_> = (0..8)
                .map(|sender| {
                    let (wave, barrier) = (&wave, Arc::clone(&barrier));
                    threads.spawn(move || {
                        barrier.wait();
                        let incoming = wave.interview("uuid:a", &format!("answer {sender}"));
                        wave.intake.store(&wave.key, incoming).expect("stored").outcome
                    })
                })
                .collect();
            senders.into_iter().map(|sender| sender.join().expect("the sender ends")).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::New).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Conflict).count(), 7, "{outcomes:?}");
        assert_eq!(wave.current().len(), 1);
        assert_eq!(wave.answers().len(), 8);
    }

    fn an_interview_that_cannot_be_stored_says_why_and_harms_no_other(place) {
        let wave = Wave::new(place);
        let unknown_form = intake::Incoming { form_version: "9".to_owned(), ..wave.interview("uuid:a", "yes") };
        let unknown_case = intake::Incoming {
            visit: Some(visit(Uuid::nil(), 1, "1.1", CaseStatus::Complete)),
            ..wave.interview("uuid:b", "yes")
        };
        assert!(matches!(wave.intake.store(&wave.key, unknown_form), Err(IntakeError::UnknownForm { .. })));
        assert!(matches!(wave.intake.store(&wave.key, unknown_case), Err(IntakeError::UnknownCase)));
        wave.intake.store(&wave.key, wave.interview("uuid:c", "yes")).expect("stored");
        assert_eq!(wave.current().len(), 1);
        assert_eq!(wave.answers().len(), 1);
    }

    fn given_tokens_tie_the_halves_and_survive_being_given_up(place) {
        let wave = Wave::new(place);
        let token = Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);
        let sent = || intake::Incoming { token: Some(token), ..wave.interview("uuid:a", "yes") };
        let mut lost = [Interview::prepare(wave.key.clone(), sent()).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        wave.intake.settle_expired(wave.project, &wave.key, morning() + minutes(2)).expect("settled");
        assert_eq!(wave.intake.store(&wave.key, sent()).expect("stored").outcome, Outcome::New);
        assert_eq!(wave.current().len(), 1);
    }

    fn visits_that_arrive_out_of_order_leave_the_case_where_the_last_attempt_put_it(place) {
        let wave = Wave::new(place);
        let new = vec![new_case(4, CaseRole::Main), new_case(9, CaseRole::Reserve)];
        let cases = wave.intake.field().transaction(|db| db.create_cases(wave.project, new)).expect("stored");
        wave.intake.field().transaction(|db| {
            db.record_visit(&visit(cases[0], 2, "1.1", CaseStatus::Complete), None)?;
            db.record_visit(&visit(cases[0], 1, "2.2", CaseStatus::Open), None)
        }).expect("recorded");
        let listed = wave.intake.field().read(|db| db.list_cases(wave.project)).expect("read");
        let statuses: Vec<_> = listed.iter().map(|case| (case.role, case.status)).collect();
        assert_eq!(statuses, [(CaseRole::Main, CaseStatus::Complete), (CaseRole::Reserve, CaseStatus::Waiting)]);
        let twice = wave.intake.field().transaction(|db| db.create_cases(wave.project, vec![new_case(4, CaseRole::Main)]));
        assert!(matches!(twice, Err(Error::Rule { .. })), "a dwelling is drawn once");
        let impossible = NewCase { probability_1: 1.5, ..new_case(5, CaseRole::Main) };
        let refused = wave.intake.field().transaction(|db| db.create_cases(wave.project, vec![impossible]));
        let refused = refused.expect_err("no probability").to_string();
        assert!(refused.contains("case_first_probability_is_a_probability"), "{refused}");
    }

    fn devices_and_listings_come_back_and_a_revoked_token_opens_nothing(place) {
        let wave = Wave::new(place);
        let token = "x".repeat(64);
        let device = wave.intake.field().transaction(|db| {
            db.create_app_user(wave.project, "Lan", Some("E07"), &token, morning())
        }).expect("stored");
        let find = || wave.intake.field().read(|db| db.find_app_user(wave.project, &token, morning())).expect("read");
        assert_eq!(find(), Some(device.clone()));
        wave.intake.field().transaction(|db| db.revoke_app_user(device.id)).expect("revoked");
        assert_eq!(find(), None);

        for households in [96, 104] {
            let listing = Listing {
                village: "SYN-00017".to_owned(),
                households,
                listed_at: morning(),
                listed_by: Some(device.id),
            };
            wave.intake.field().transaction(|db| db.record_listing(wave.project, &listing)).expect("recorded");
        }
        let listings = wave.intake.field().read(|db| db.list_listings(wave.project)).expect("read");
        assert_eq!(listings.iter().map(|listing| listing.households).collect::<Vec<_>>(), [104]);
    }

    fn a_file_is_kept_once_and_other_bytes_under_its_name_beside_it(place) {
        let wave = Wave::new(place);
        let stored = wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
        let submission = stored.submission.expect("a row holds it");
        let keep = |sha256: u8, file: &str| {
            let new = NewAttachment {
                submission,
                name: "ảnh 1.jpg".to_owned(),
                sha256: [sha256; 32],
                file: file.to_owned(),
                size: 10,
            };
            wave.intake.field().transaction(|db| db.keep_attachment(&new, &wave.key)).expect("kept")
        };
        assert_eq!(keep(1, "f1"), AttachmentKept::New);
        assert_eq!(keep(1, "f2"), AttachmentKept::AlreadyStored { file: "f1".to_owned() });
        assert_eq!(keep(2, "f3"), AttachmentKept::Conflict);
        assert_eq!(keep(2, "f4"), AttachmentKept::AlreadyInConflict);
        let kept = wave.intake.field().read(|db| db.list_attachments(submission, &wave.key)).expect("read");
        let kept: Vec<_> = kept.iter().map(|file| (file.name.as_str(), file.file.as_str(), file.in_conflict)).collect();
        assert_eq!(kept, [("ảnh 1.jpg", "f1", false), ("ảnh 1.jpg", "f3", true)]);
        let files = wave.intake.withdraw(wave.project, "hh", "uuid:a", &wave.key).expect("withdrawn");
        assert_eq!(files, Some(vec!["f1".to_owned(), "f3".to_owned()]));
    }

    fn a_changed_log_is_found_out(place) {
        let field = place.field();
        for n in 1..=3 {
            let detail = format!(r#"{{"rows":{n}}}"#);
            field.transaction(|db| db.append_audit("lan", "export", &detail, morning())).expect("appended");
        }
        let entries = field.read(|db| db.verify_audit()).expect("the log is whole");
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3]);
        execute(&place.field_url, r#"update audit set detail = '{"rows":9}' where number = 2"#);
        let broken = field.read(|db| db.verify_audit());
        assert!(matches!(broken, Err(AuditError::Broken { number: 2, .. })), "{broken:?}");
    }

    fn a_survey_publishes_no_form_that_breaks_rule_8_and_asks_a_second_person_about_wording(place) {
        let wave = Wave::new(place);
        let field = wave.intake.field();
        let publish = |project, rows: &str, confirmation: Option<Confirmation>| {
            let form = langnghe::db::NewForm {
                project,
                form_id: "f".to_owned(),
                version: "1".to_owned(),
                title: "F".to_owned(),
                xml: xform(rows),
                workbook: None,
                files: Vec::new(),
                confirmation,
            };
            field.transaction(|db| db.publish_form(form, morning()))
        };
        let confirm = |by: &str, reason: &str| {
            Some(Confirmation { by: by.to_owned(), reason: reason.to_owned() })
        };
        let photographs = "| image | face | Ảnh |\n| audio | voice | Giọng nói |";
        let Err(PublishError::Refused(reasons)) = publish(wave.project, photographs, confirm("Mai", "được phép")) else {
            panic!("no confirmation helps against a refusal");
        };
        assert_eq!(reasons.len(), 2, "all reasons at once: {reasons:?}");

        let telephone = "| text | tel | Số điện thoại của trạm y tế? |";
        for nobody in [None, confirm("", "vì sao"), confirm("Mai", "  ")] {
            let asked = publish(wave.project, telephone, nobody);
            assert!(matches!(asked, Err(PublishError::Unconfirmed(ref about)) if about.len() == 1), "{asked:?}");
        }
        assert!(field.read(|db| db.find_form(wave.project, "f", None)).expect("read").is_none(), "nothing was kept");
        let form = publish(wave.project, telephone, confirm("Mai", "số của cơ quan")).expect("published");
        let kept = field.read(|db| db.find_form_confirmation(form.id)).expect("read").expect("kept");
        assert_eq!(kept.confirmation, confirm("Mai", "số của cơ quan").expect("some"));
        assert!(kept.wording.contains("điện thoại"), "{}", kept.wording);
        assert_eq!(kept.at, morning());

        for kind in [ProjectKind::Inventory, ProjectKind::Practice] {
            let project = field.transaction(|db| db.create_project(kind.name(), kind, morning())).expect("made").id;
            let form = publish(project, photographs, None).expect("no respondents, no rule 8");
            assert_eq!(field.read(|db| db.find_form_confirmation(form.id)).expect("read"), None);
        }
    }

    fn the_newest_version_of_a_form_is_listed_and_older_ones_are_found(place) {
        let wave = Wave::new(place);
        let second = langnghe::db::NewForm {
            project: wave.project,
            form_id: "hh".to_owned(),
            version: "2".to_owned(),
            title: "Households".to_owned(),
            xml: xform("| text | q2 | Q2 |"),
            workbook: None,
            files: vec![("b.csv".to_owned(), b"abc".to_vec()), ("a.csv".to_owned(), b"a".to_vec())],
            confirmation: None,
        };
        let again = second.clone();
        let form = wave.intake.field().transaction(|db| db.publish_form(second, morning() + minutes(1))).expect("published");
        let twice = wave.intake.field().transaction(|db| db.publish_form(again, morning() + minutes(2)));
        assert!(matches!(twice, Err(PublishError::Vault(Error::Rule { .. }))), "a version is published once");
        wave.intake.field().read(|db| {
            assert_eq!(db.list_forms(wave.project)?.iter().map(|form| form.version.as_str()).collect::<Vec<_>>(), ["2"]);
            assert_eq!(db.find_form(wave.project, "hh", None)?.expect("there").version, "2");
            assert_eq!(db.find_form(wave.project, "hh", Some("1"))?.expect("there").version, "1");
            let files = db.list_form_files(form.id)?;
            assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.csv", "b.csv"]);
            assert_eq!(files[1].hash, "900150983cd24fb0d6963f7d28e17f72", "MD5 of abc, RFC 1321");
            Ok::<_, Error>(())
        }).expect("read");
    }
}

/// The answer vault goes away between the first and the second commit, the field vault between the second and third.
#[test]
fn while_a_vault_is_gone_the_client_is_sent_away_and_its_resend_is_stored_once() {
    let place = Place::on_sqlite();
    let wave = Wave::new(&place);
    for (instance_id, file, steps_before) in [("uuid:a", "answers.db", 1), ("uuid:b", "field.db", 2)] {
        let prepared = Interview::prepare(wave.key.clone(), wave.interview(instance_id, "yes"));
        let mut interview = [prepared.expect("prepared")];
        intake::reserve(wave.intake.field(), &mut interview).expect("reserved");
        if steps_before == 2 {
            intake::insert_answers(wave.intake.answers(), &mut interview).expect("inserted");
        }
        let (there, away) = (place.files.join(file), place.files.join("away.db"));
        std::fs::rename(&there, &away).expect("taken away");
        let sent = wave.intake.store(&wave.key, wave.interview(instance_id, "yes"));
        assert!(sent.as_ref().is_err_and(IntakeError::is_passing), "{sent:?}");
        std::fs::rename(&away, &there).expect("brought back");

        let again = wave.intake.store(&wave.key, wave.interview(instance_id, "yes")).expect("stored");
        assert_eq!(again.outcome, Outcome::New);
    }
    assert_eq!(wave.current().len(), 2);
    assert_eq!(wave.answers().len(), 2);
}

/// The answer vault goes away after the tombstones are laid and before the answers are deleted.
#[test]
fn an_interrupted_withdrawal_is_carried_on() {
    let place = Place::on_sqlite();
    let wave = Wave::new(&place);
    wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("stored");
    let (there, away) = (place.files.join("answers.db"), place.files.join("away.db"));
    std::fs::rename(&there, &away).expect("taken away");
    let interrupted = wave.intake.withdraw(wave.project, "hh", "uuid:a", &wave.key);
    assert!(interrupted.is_err_and(|error| error.is_passing()));
    std::fs::rename(&away, &there).expect("brought back");

    assert!(wave.submissions().is_empty(), "it is not read any more from the first commit on");
    let settled = wave.intake.settle_expired(wave.project, &wave.key, morning()).expect("settled");
    assert_eq!(settled, Settled { withdrawn: 1, ..Settled::default() });
    assert!(wave.answers().is_empty());
    let again = wave.intake.store(&wave.key, wave.interview("uuid:a", "yes")).expect("answered");
    assert_eq!(again.outcome, Outcome::Withdrawn);
}
