//! Who gets in, and who is sent away.

use super::*;
use crate::accounts::Role;

/// A browser: it keeps its cookies, and sends the token of its page.
pub(super) struct Browser<'a> {
    rig: &'a Rig,
    pub(super) cookies: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    /// A browser whose login has just been answered with `answer`.
    async fn entered(rig: &'a Rig, answer: Response) -> Self {
        assert_eq!(answer.status(), StatusCode::OK);
        let cookies: Vec<String> = answer
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|cookie| {
                cookie
                    .to_str()
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let session = read(answer).await;
        Self {
            rig,
            cookies: cookies.join("; "),
            csrf: session["csrf"].as_str().unwrap().to_owned(),
        }
    }

    pub(super) async fn log_in(rig: &'a Rig, name: &str) -> Self {
        let given = json!({"name": name, "password": PASSWORD});
        let answer = body(rig.client.post(rig.url("/api/login")), &given);
        Self::entered(rig, answer.send().await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        let asked = self.rig.get(path).header(header::COOKIE, &self.cookies);
        asked.send().await.unwrap()
    }

    async fn send(&self, method: reqwest::Method, path: &str, value: &Value) -> Response {
        let request = self.rig.client.request(method, self.rig.url(path));
        let request = body(request, value)
            .header(header::COOKIE, &self.cookies)
            .header("lares-csrf", &self.csrf);
        request.send().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, value: &Value) -> Response {
        self.send(reqwest::Method::POST, path, value).await
    }
}

pub(super) async fn owner(rig: &Rig, name: &str) {
    let added = rig.page.accounts.add(name, PASSWORD, Role::Owner).await;
    added.unwrap().unwrap();
}

/// Waits until `events` end; what came until then.
async fn ended(events: Response) -> String {
    let heard = timeout(Duration::from_secs(2), events.text());
    heard.await.expect("it ends at once").unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_there_is_the_set_up_and_nothing_else() {
    with_hub(false, |rig| async move {
        for path in [
            "/api/house",
            "/api/incidents",
            "/api/events",
            "/api/log",
            &format!("/media/{}/thumb.jpg", place()),
        ] {
            let answer = rig.get(path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
        let session = rig.json("/api/session").await;
        assert_eq!(
            (&session["state"], &session["csrf"]),
            (&json!("setup"), &Value::Null)
        );
        let set_up = async |code: &str| {
            let anna = json!({"name": "anna", "password": PASSWORD, "code": code});
            let request = body(rig.client.post(rig.url("/api/setup")), &anna);
            request.send().await.unwrap()
        };
        assert_eq!(set_up("").await.status(), StatusCode::FORBIDDEN);
        assert_eq!(set_up("ABCD-EFGH").await.status(), StatusCode::FORBIDDEN);
        let code = rig.page.accounts.set_up_code().unwrap();
        let done = set_up(&code).await;
        for cookie in done.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
            assert!(!cookie.contains("Secure"), "{cookie}");
        }
        let anna = Browser::entered(&rig, done).await;
        assert_eq!(set_up(&code).await.status(), StatusCode::CONFLICT);
        assert_eq!(anna.get("/api/house").await.status(), StatusCode::OK);

        // Who may only look changes nothing but what is its own, and sees neither accounts nor record.
        let ben = json!({"name": "ben", "password": PASSWORD, "role": "viewer"});
        assert_eq!(
            anna.post("/api/accounts", &ben).await.status(),
            StatusCode::CREATED
        );
        let ben = Browser::log_in(&rig, "ben").await;
        let put = reqwest::Method::PUT;
        let disarm = ben
            .send(put, "/api/mode", &json!({"mode": "disarmed"}))
            .await;
        assert_eq!(disarm.status(), StatusCode::FORBIDDEN);
        for path in ["/api/accounts", "/api/log"] {
            assert_eq!(
                ben.get(path).await.status(),
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
        let change = json!({"password": PASSWORD, "new": "another horse battery"});
        assert_eq!(
            ben.post("/api/password", &change).await.status(),
            StatusCode::NO_CONTENT
        );
        let out = ben.post("/api/logout", &json!({})).await;
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            ben.get("/api/house").await.status(),
            StatusCode::UNAUTHORIZED
        );

        let log = read(anna.get("/api/log").await).await;
        let first = &log["entries"].as_array().unwrap()[0];
        assert_eq!(
            (&first["account"], &first["what"]),
            (&json!("ben"), &json!("logout"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_hears_nothing_more() {
    with_hub(false, |rig| async move {
        owner(&rig, "anna").await;
        owner(&rig, "ben").await;
        let (anna, there) = (
            Browser::log_in(&rig, "anna").await,
            Browser::log_in(&rig, "anna").await,
        );
        let ben = Browser::log_in(&rig, "ben").await;
        let (hers, theirs, his) = (
            anna.get("/api/events").await,
            there.get("/api/events").await,
            ben.get("/api/events").await,
        );
        let delete = reqwest::Method::DELETE;
        let gone = anna.send(delete, "/api/accounts/ben", &json!({})).await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        ended(his).await;
        let change = json!({"password": PASSWORD, "new": "another horse battery"});
        assert_eq!(
            anna.post("/api/password", &change).await.status(),
            StatusCode::NO_CONTENT
        );
        ended(theirs).await;
        // The one that changed it stays.
        let mut hers = hers;
        rig.page.house.online(&"home".parse().unwrap(), true);
        let mut heard = String::new();
        while !heard.contains("event: house") {
            let piece = timeout(Duration::from_secs(2), hers.chunk()).await;
            let piece = piece.expect("it goes on").unwrap().expect("it goes on");
            heard.push_str(&String::from_utf8_lossy(&piece));
        }
        anna.post("/api/logout", &json!({})).await;
        ended(hers).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_asked_for_where_there_is_a_second_factor() {
    with_hub(false, |rig| async move {
        owner(&rig, "anna").await;
        let anna = Browser::log_in(&rig, "anna").await;
        let refused = anna
            .post("/api/second", &json!({"password": "wrong horse battery"}))
            .await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let offer = read(
            anna.post("/api/second", &json!({"password": PASSWORD}))
                .await,
        )
        .await;
        assert!(
            offer["uri"]
                .as_str()
                .unwrap()
                .starts_with("otpauth://totp/Lares:anna?")
        );
        assert_eq!(
            offer["picture"][0].as_str().unwrap().len(),
            offer["picture"].as_array().unwrap().len()
        );
        let code = rig
            .page
            .accounts
            .code_now(offer["secret"].as_str().unwrap());
        let done = read(
            anna.post("/api/second/confirm", &json!({"code": code}))
                .await,
        )
        .await;
        let recovery = done["recovery"].as_array().unwrap().clone();
        assert_eq!(recovery.len(), 10);
        let log_in = async |code: Option<&Value>| {
            let given = json!({"name": "anna", "password": PASSWORD, "code": code});
            let request = body(rig.client.post(rig.url("/api/login")), &given);
            request.send().await.unwrap()
        };
        let asked = log_in(None).await;
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(read(asked).await["error"]["code"], "second");
        assert_eq!(
            log_in(Some(&json!(code))).await.status(),
            StatusCode::UNAUTHORIZED,
            "used"
        );
        let again = Browser::entered(&rig, log_in(Some(&recovery[0])).await).await;
        let session = read(again.get("/api/session").await).await;
        assert_eq!(session["second"], true);
        let off = again
            .post("/api/second/off", &json!({"password": PASSWORD}))
            .await;
        assert_eq!(off.status(), StatusCode::NO_CONTENT);
        assert_eq!(log_in(None).await.status(), StatusCode::OK);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_is_summed_and_keeps_the_owner_in() {
    with_hub(false, |rig| async move {
        owner(&rig, "anna").await;
        let anna = Browser::log_in(&rig, "anna").await;
        let guess = json!({"name": "x".repeat(64), "password": "guess guess"});
        let guesses = (0..200).map(|_| body(rig.client.post(rig.url("/api/login")), &guess).send());
        let answers = futures::future::join_all(guesses).await;
        let mut slowed = 0;
        for answer in answers.into_iter().flatten() {
            let wait = answer.headers().contains_key(header::RETRY_AFTER);
            slowed += u32::from(answer.status() == StatusCode::TOO_MANY_REQUESTS && wait);
        }
        assert!(slowed > 20, "{slowed}");
        assert_eq!(anna.get("/api/house").await.status(), StatusCode::OK);
        // Her browser is known, though strangers have used up what its address may try.
        let given = json!({"name": "anna", "password": PASSWORD});
        let again = body(rig.client.post(rig.url("/api/login")), &given)
            .header(header::COOKIE, &anna.cookies);
        assert_eq!(again.send().await.unwrap().status(), StatusCode::OK);
        let log = read(anna.get("/api/log").await).await;
        assert_eq!(log["entries"].as_array().unwrap().len(), 2, "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_with_tls_cookies_are_secure() {
    with_hub(false, |rig| async move {
        owner(&rig, "anna").await;
        let given = json!({"name": "anna", "password": PASSWORD});
        let log_in = |address: &str| {
            let trusted =
                Client::builder().local_address(address.parse::<std::net::IpAddr>().unwrap());
            body(trusted.build().unwrap().post(rig.url("/api/login")), &given)
        };
        let secure = async |request: RequestBuilder| {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            answer.headers()[header::SET_COOKIE]
                .to_str()
                .unwrap()
                .contains("; Secure")
        };
        let forwarded = |address: &str| {
            log_in(address)
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-for", "198.51.100.7")
        };
        assert!(secure(forwarded("127.0.0.7")).await);
        assert!(
            !secure(forwarded("127.0.0.1")).await,
            "nobody trusts this one"
        );
        // What a browser says of its own page is enough: a proxy with its defaults changes Host.
        let named = log_in("127.0.0.1").header(header::ORIGIN, "https://lares.example");
        assert!(secure(named.header("sec-fetch-site", "same-origin")).await);
        let other = log_in("127.0.0.1").header(header::ORIGIN, "https://evil.example");
        assert_eq!(other.send().await.unwrap().status(), StatusCode::FORBIDDEN);
        let log = rig.page.accounts.log(3).await.unwrap();
        let from: Vec<Value> = log
            .iter()
            .map(|entry| json!(entry)["detail"].clone())
            .collect();
        assert_eq!(from, ["127.0.0.1", "127.0.0.1", "198.51.100.7"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_goes_out_compressed_and_events_at_once() {
    with_hub(true, |rig| async move {
        let ask = |path: &str| rig.get(path).header(header::ACCEPT_ENCODING, "gzip, br");
        for n in 1..40 {
            let mut more = message(1);
            more.id = format!("01990000-0000-7000-8000-0000000001{n:02}")
                .parse()
                .unwrap();
            rig.page.index.take(&more).unwrap();
        }
        let plain = rig
            .get("/api/incidents")
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let small = ask("/api/incidents").send().await.unwrap();
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(small.headers()[header::VARY], "accept-encoding");
        let small = small.bytes().await.unwrap();
        assert!(small.len() * 4 < plain.len());
        let mut out = Vec::new();
        let mut unzip = flate2::read::GzDecoder::new(small.as_ref());
        std::io::Read::read_to_end(&mut unzip, &mut out).unwrap();
        assert_eq!(out, plain);
        // A short one, with the token of the session, is not.
        let session = ask("/api/session").send().await.unwrap();
        assert!(!session.headers().contains_key(header::CONTENT_ENCODING));
        let mut events = ask("/api/events").send().await.unwrap();
        let headers = events.headers();
        assert!(!headers.contains_key(header::CONTENT_ENCODING));
        assert_eq!(headers["x-accel-buffering"], "no");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store, no-transform");
        let first = timeout(Duration::from_secs(2), events.chunk()).await;
        assert_eq!(first.expect("at once").unwrap().unwrap(), ": hello\n\n");
    })
    .await;
}
