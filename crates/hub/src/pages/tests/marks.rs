//! Keeping, dismissing and deleting an incident.

use super::*;
use crate::marks::Keep;

const DAY_MS: i64 = 86_400_000;

/// Sends a change to the incident `ID`.
async fn change(rig: &Rig, method: &str, path: &str, sent: Option<Value>) -> Response {
    let url = rig.url(&format!("/api/incidents/{ID}{path}"));
    let request = rig.client.request(method.parse().unwrap(), url);
    let request = request.header("Lares-Csrf", rig.csrf().await);
    let request = match sent {
        Some(sent) => body(request, &sent),
        None => request,
    };
    request.send().await.unwrap()
}

async fn incident(rig: &Rig) -> Value {
    rig.json(&format!("/api/incidents/{ID}")).await["incident"].clone()
}

/// What the record says was done, newest first, without logins.
async fn record(rig: &Rig) -> Vec<(String, String)> {
    let log = rig.json("/api/log?limit=50").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = log["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| (text(&entry["what"]), text(&entry["detail"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_kept_with_reason_and_end() {
    with_hub(true, |rig| async move {
        let now = rig.page.clock.wall().0;
        let until = now + 90 * DAY_MS;
        let wish = json!({"reason": " parcel taken ", "until": until});
        let kept = change(&rig, "PUT", "/keep", Some(wish)).await;
        assert_eq!(kept.status(), StatusCode::OK);
        let kept = read(kept).await["incident"]["kept"].clone();
        assert_eq!(
            (&kept["reason"], &kept["until"], &kept["by"]),
            (&"parcel taken".into(), &until.into(), &"local".into())
        );
        assert_eq!(incident(&rig).await["kept"], kept);
        // On the disk, and not in the index.
        let again = Marks::load(&rig.dir.path().join("marks")).unwrap();
        assert_eq!(again.held(None).len(), 1);
        let list = rig.json("/api/marks").await;
        assert_eq!(
            (&list["kept"][0]["id"], &list["kept"][0]["reason"]),
            (&ID.into(), &"parcel taken".into())
        );
        assert_eq!(
            change(&rig, "DELETE", "", None).await.status(),
            StatusCode::CONFLICT,
            "what is kept is not deleted"
        );

        for (wish, status) in [
            (
                json!({"reason": "", "until": now - 1}),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                json!({"reason": "", "until": now + 3000 * DAY_MS}),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                json!({"reason": "x".repeat(201), "until": until}),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                json!({"reason": "two\nlines", "until": until}),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
        ] {
            assert_eq!(
                change(&rig, "PUT", "/keep", Some(wish.clone()))
                    .await
                    .status(),
                status,
                "{wish}"
            );
        }
        let ended = change(&rig, "DELETE", "/keep", None).await;
        assert_eq!(read(ended).await["incident"]["kept"], Value::Null);
        let detail = format!("home/door {ID}");
        assert_eq!(
            record(&rig).await,
            [
                ("keep-end".to_owned(), detail.clone()),
                ("keep".to_owned(), detail)
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_leaves_half_of_the_space_to_the_rest() {
    with_hub(true, |mut rig| async move {
        let until = rig.page.clock.wall().0 + DAY_MS;
        let mut other = message(1);
        other.id = OTHER.parse().unwrap();
        other.clip.bytes = 495;
        rig.page.index.take(&other).unwrap();
        let held = Keep {
            reason: String::new(),
            until: Some(crate::flow::WallTime(until)),
            by: String::new(),
            at: crate::flow::WallTime(0),
        };
        let which = (other.site, other.id);
        rig.page
            .marks
            .change(&which, |mark| mark.kept = Some(held))
            .unwrap()
            .unwrap();
        let wish = json!({"reason": "", "until": until});
        let refused = change(&rig, "PUT", "/keep", Some(wish.clone())).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        assert!(
            read(refused).await["error"]["message"]
                .as_str()
                .unwrap()
                .contains("half of the space")
        );
        rig.page
            .marks
            .change(&which, |mark| mark.kept = None)
            .unwrap()
            .unwrap();
        assert_eq!(
            change(&rig, "PUT", "/keep", Some(wish)).await.status(),
            StatusCode::OK
        );
        assert!(
            rig.requests.try_recv().is_err(),
            "no box is asked for anything"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_alarm_is_counted_and_can_be_taken_back() {
    with_hub(true, |rig| async move {
        for _ in 0..2 {
            let marked = change(&rig, "PUT", "/false-alarm", None).await;
            assert_eq!(read(marked).await["incident"]["false_alarm"]["by"], "local");
        }
        assert_eq!(rig.json("/api/marks").await["false_alarms"], 1);
        let list = rig.json("/api/incidents").await;
        assert_eq!(list["incidents"][0]["false_alarm"]["by"], "local");
        let taken_back = change(&rig, "DELETE", "/false-alarm", None).await;
        assert_eq!(
            read(taken_back).await["incident"]["false_alarm"],
            Value::Null
        );
        assert_eq!(rig.json("/api/marks").await["false_alarms"], 0);
        let what: Vec<_> = record(&rig)
            .await
            .into_iter()
            .map(|(what, _)| what)
            .collect();
        assert_eq!(what, ["false-alarm-end", "false-alarm"], "once each");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_incident_is_gone_with_all_that_there_is_of_it_and_stays_so() {
    with_hub(true, |rig| async move {
        let mut news = rig.page.house.listen();
        let picture = incident(&rig).await["small"].as_str().unwrap().to_owned();
        assert_eq!(
            rig.get(&picture).send().await.unwrap().status(),
            StatusCode::OK
        );
        let objects = rig.dir.path().join("store").join(place());
        assert!(objects.exists());
        assert_eq!(
            change(&rig, "DELETE", "", None).await.status(),
            StatusCode::NO_CONTENT
        );
        assert!(!objects.exists());
        assert_eq!(rig.json("/api/incidents").await["incidents"], json!([]));
        assert_eq!(
            rig.get(&picture).send().await.unwrap().status(),
            StatusCode::NOT_FOUND
        );
        assert!(
            matches!(news.try_recv(), Ok(crate::house::News::Gone(id)) if id.to_string() == ID)
        );
        assert_eq!(
            change(&rig, "DELETE", "", None).await.status(),
            StatusCode::NOT_FOUND
        );
        // Its box sends it once more, and an index that was lost is made again from the store.
        assert!(!rig.page.index.take(&message(9)).unwrap());
        assert_eq!(rig.json("/api/incidents").await["incidents"], json!([]));
        let again = Marks::load(&rig.dir.path().join("marks")).unwrap();
        assert_eq!(again.deleted().len(), 1);
        assert_eq!(
            record(&rig).await[0],
            ("delete".to_owned(), format!("home/door {ID}"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_here_says_so_and_stays() {
    let (mut rig, server) = Rig::start(true).await;
    drop(server);
    assert!(rig.page.may_delete(&message(1)).is_ok());
    rig.page.folder = Arc::default();
    assert!(
        rig.page.may_delete(&message(1)).is_err(),
        "it lies in another store"
    );
    let (home, _) = crate::home::tests::home(rig.dir.path());
    rig.page.home = Some(home);
    assert!(
        rig.page.may_delete(&message(1)).is_ok(),
        "this box has it, wherever it has sent it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_box_here_keeps_is_held_and_deleted_there() {
    let objects = tempfile::tempdir().unwrap();
    let (home, evidence) = crate::home::tests::home(objects.path());
    evidence.put(&message(3));
    let at_home = |page: &mut Page| page.home = Some(home);
    with_changed_hub(true, at_home, |rig| async move {
        let until = rig.page.clock.wall().0 + DAY_MS;
        let wish = json!({"reason": "", "until": until});
        let kept = change(&rig, "PUT", "/keep", Some(wish)).await;
        assert_eq!(kept.status(), StatusCode::OK);
        let held = evidence.held.lock().clone();
        assert_eq!(held[&ID.parse().unwrap()].0, until);
        assert_eq!(
            change(&rig, "DELETE", "/keep", None).await.status(),
            StatusCode::OK
        );
        assert!(evidence.held.lock().is_empty());

        // Its clip is still being recorded: nothing is said of it, so that what comes of it is taken in.
        let busy = &evidence.busy;
        busy.store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = change(&rig, "DELETE", "", None).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        assert!(rig.page.marks.deleted().is_empty());
        busy.store(false, std::sync::atomic::Ordering::Relaxed);
        let deleted = change(&rig, "DELETE", "", None).await;
        assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        let by: Vec<_> = evidence
            .deleted_by
            .lock()
            .iter()
            .map(|(_, by)| by.clone())
            .collect();
        assert_eq!(by, ["local"]);
        assert_eq!(rig.page.marks.deleted().len(), 1);
        assert_eq!(rig.json("/api/incidents").await["incidents"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_on_is_not_deleted() {
    with_hub(true, |rig| async move {
        let mut open = message(4);
        open.end = None;
        rig.page.index.take(&open).unwrap();
        assert_eq!(
            change(&rig, "DELETE", "", None).await.status(),
            StatusCode::CONFLICT
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_narrowed_to_what_came() {
    with_hub(true, |rig| async move {
        let listed = async |label: &str| {
            let list = rig.json(&format!("/api/incidents?label={label}")).await;
            list["incidents"].as_array().unwrap().len()
        };
        assert_eq!(
            (
                listed("person").await,
                listed("car").await,
                listed("").await
            ),
            (1, 0, 1)
        );
        let odd = rig.get("/api/incidents?label=goat").send().await.unwrap();
        assert_eq!(odd.status(), StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}
