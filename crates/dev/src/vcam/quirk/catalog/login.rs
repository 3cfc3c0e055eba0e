//! Cameras that ask for a user and a password, each in its own way.

use std::time::Duration;

use super::{Films, Kind, Password, Right};
use crate::vcam::quirk::{Answer, Camera, Login, Nonces, Reply};

fn asking(films: &Films, login: Login) -> Camera {
    Camera {
        login: Some(login),
        ..films.plain()
    }
}

/// A login by Digest with these challenges.
fn digest(algorithms: &'static [&'static str], challenges: fn(&str) -> Vec<String>) -> Login {
    Login {
        algorithms,
        challenges,
        ..Login::new()
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("digest", "asks by Digest", |films| asking(films, Login::new())),
    Kind::new("basic", "asks by Basic alone", |films| {
        asking(
            films,
            Login {
                basic: true,
                ..digest(&[], |_| vec!["Basic realm=\"cam\"".into()])
            },
        )
    }),
    Kind::new("basic-and-digest", "offers Basic first, and Digest", |films| {
        asking(
            films,
            digest(&["MD5"], |nonce| {
                vec![
                    "Basic realm=\"cam\"".into(),
                    format!("Digest realm=\"cam\", nonce=\"{nonce}\", stale=\"FALSE\""),
                ]
            }),
        )
    }),
    Kind::new("both-in-one", "offers Basic and Digest in one header", |films| {
        asking(
            films,
            digest(&["MD5"], |nonce| {
                vec![format!("Basic realm=\"cam\", Digest realm=\"cam\", nonce=\"{nonce}\"")]
            }),
        )
    }),
    Kind::new("sha-256", "asks by SHA-256 without qop", |films| {
        asking(
            films,
            digest(&["SHA-256"], |nonce| {
                vec![format!(
                    "Digest realm=\"IP Camera(AB123)\", nonce=\"{nonce}\", algorithm=\"SHA-256\", stale=\"FALSE\""
                )]
            }),
        )
    }),
    Kind::new("sha-256-or-md5", "offers SHA-256, then MD5, and takes either", |films| {
        asking(
            films,
            digest(&["SHA-256", "MD5"], |nonce| {
                ["SHA-256", "MD5"]
                    .map(|name| format!("Digest realm=\"cam\", nonce=\"{nonce}\", algorithm={name}"))
                    .to_vec()
            }),
        )
    }),
    Kind::new("md5-or-sha-256", "offers MD5, then SHA-256, and takes either", |films| {
        asking(
            films,
            digest(&["SHA-256", "MD5"], |nonce| {
                ["MD5", "SHA-256"]
                    .map(|name| format!("Digest realm=\"cam\", nonce=\"{nonce}\", algorithm={name}"))
                    .to_vec()
            }),
        )
    }),
    Kind::new("sha-256-qop", "offers SHA-256 and MD5, and needs qop", |films| {
        let login = digest(&["SHA-256", "MD5"], |nonce| {
            ["SHA-256", "MD5"]
                .map(|name| {
                    format!("Digest realm=\"cam\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"")
                })
                .to_vec()
        });
        asking(
            films,
            Login {
                needs_qop: true,
                ..login
            },
        )
    }),
    Kind::new("md5-sess", "asks by MD5-sess", |films| {
        asking(
            films,
            digest(&["MD5-SESS"], |nonce| {
                vec![format!(
                    "Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=MD5-sess, qop=\"auth\""
                )]
            }),
        )
    }),
    Kind::new("sha-256-sess", "asks by SHA-256-sess", |films| {
        asking(
            films,
            digest(&["SHA-256-SESS"], |nonce| {
                vec![format!(
                    "Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=SHA-256-sess, qop=\"auth\""
                )]
            }),
        )
    }),
    Kind::new("qop", "offers auth and auth-int, and counts", |films| {
        let login = digest(&["MD5"], |nonce| {
            vec![format!(
                "Digest realm=\"cam\", nonce=\"{nonce}\", qop=\"auth,auth-int\", opaque=\"5ccc\""
            )]
        });
        asking(
            films,
            Login {
                needs_qop: true,
                counts: true,
                ..login
            },
        )
    }),
    Kind::new("qop-bare", "writes qop without quotes, and everything in lower case", |films| {
        let login = digest(&["MD5"], |nonce| {
            vec![format!("digest realm=\"cam\",nonce=\"{nonce}\",algorithm=md5,qop=auth")]
        });
        asking(
            films,
            Login {
                needs_qop: true,
                ..login
            },
        )
    }),
    Kind::new("realm-quoted", "has quotes, commas and an equals sign in its realm", |films| {
        asking(
            films,
            digest(&["MD5"], |nonce| {
                vec![format!("Digest realm=\"Login to \\\"cam, one\\\" = 1\", nonce=\"{nonce}\"")]
            }),
        )
    }),
    Kind::new("realm-foreign", "has a realm in another script, and none in its first challenge", |films| {
        asking(
            films,
            digest(&["MD5"], |nonce| {
                vec![
                    "Negotiate".into(),
                    format!("Digest realm=\"摄像机 é\", nonce=\"{nonce}\""),
                ]
            }),
        )
    }),
    Kind::new("realm-empty", "has an empty realm", |films| {
        asking(
            films,
            digest(&["MD5"], |nonce| vec![format!("Digest realm=\"\", nonce=\"{nonce}\"")]),
        )
    }),
    Kind::new("nonce-each-request", "wants a new nonce in each request", |films| {
        let login = digest(&["MD5"], |nonce| {
            vec![format!("Digest realm=\"cam\", nonce=\"{nonce}\", stale=true")]
        });
        asking(
            films,
            Login {
                nonces: Nonces::EachRequest,
                ..login
            },
        )
    }),
    Kind::new("nonce-renewed", "renews its nonce each 8 s, for keep-alives too", |films| {
        let login = digest(&["MD5"], |nonce| {
            vec![format!("Digest realm=\"cam\", nonce=\"{nonce}\", stale=true")]
        });
        Camera {
            timeout: Some(Duration::from_secs(8)),
            ..asking(
                films,
                Login {
                    nonces: Nonces::Each(Duration::from_secs(8)),
                    ..login
                },
            )
        }
    })
    .seconds(24),
    Kind::new("options-too", "asks for a login at OPTIONS", |films| {
        asking(
            films,
            Login {
                options_too: true,
                ..Login::new()
            },
        )
    }),
    Kind::new("closes-after-401", "closes after its 401", |films| Camera {
        answers: |_, answer, _| match answer.status.starts_with("401") {
            true => Reply::Last(answer),
            false => Reply::Send(answer),
        },
        ..asking(films, Login::new())
    }),
    Kind::new("closes-after-each-401", "the same, and wants a login at OPTIONS", |films| Camera {
        answers: |_, answer, _| match answer.status.starts_with("401") {
            true => Reply::Last(answer),
            false => Reply::Send(answer),
        },
        ..asking(
            films,
            Login {
                options_too: true,
                needs_qop: true,
                ..digest(&["SHA-256"], |nonce| {
                    vec![format!(
                        "Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\""
                    )]
                })
            },
        )
    }),
    Kind::new("password-odd", "has a password of special characters", |films| {
        asking(
            films,
            Login {
                password: "p@ss:w/o#r%d?&é\"",
                ..Login::new()
            },
        )
    }),
    Kind::new("algorithm-unknown", "asks by an algorithm that nobody speaks", |films| {
        asking(
            films,
            digest(&["SHA-512-256"], |nonce| {
                vec![format!(
                    "Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=SHA-512-256, qop=\"auth\""
                )]
            }),
        )
    })
    .right(Right::Tells(&["SHA-512-256"])),
    Kind::new("password-wrong", "is asked with the wrong password", |films| {
        asking(films, Login::new())
    })
    .password(Password::Wrong)
    .right(Right::Tells(&["user name or password"])),
    Kind::new("password-missing", "is asked without a password", |films| {
        asking(films, Login::new())
    })
    .password(Password::None)
    .right(Right::Tells(&["password"])),
    Kind::new("forbidden", "answers 403 to an account without rights", |films| Camera {
        answers: |request, answer, _| {
            Reply::Send(match request.method == "DESCRIBE" && answer.is_ok() {
                true => Answer::new("403 Forbidden"),
                false => answer,
            })
        },
        ..asking(films, Login::new())
    })
    .right(Right::Tells(&[])),
    Kind::new("challenge-empty", "answers 401 without a challenge", |films| {
        asking(films, digest(&[], |_| Vec::new()))
    })
    .right(Right::Tells(&[])),
];
