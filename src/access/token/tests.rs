use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const ISSUER: &str = "https://praxis.example";
const AUDIENCE: &str = "praxis-api";
/// A moment in the middle of a second, since tokens only know whole ones.
const NOW: &str = "2027-01-15T09:30:00.750Z";

fn clock() -> Clock {
    Clock::fixed(NOW.parse().unwrap())
}

fn keys(names: &[(&str, u8)]) -> TokenKeys {
    let lines = names.iter().map(|(name, seed)| {
        let key: Vec<u8> = (0..32).map(|i| seed.wrapping_add(i)).collect();
        format!("{name}:{}\n", BASE64.encode(&key))
    });
    TokenKeys::parse(&lines.collect::<String>()).unwrap()
}

fn tokens(clock: &Clock) -> AccessTokens {
    AccessTokens::new(keys(&[("k1", 1)]), clock.clone(), ISSUER, AUDIENCE)
}

fn subject() -> Subject {
    Subject {
        user: UserId(Uuid::from_u128(1)),
        session: AuthSessionId(Uuid::from_u128(2)),
        seat: Some((WorkspaceId(Uuid::from_u128(3)), MembershipId(Uuid::from_u128(4)))),
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_token_says_who_where_and_until_when() {
    let clock = clock();
    let tokens = tokens(&clock);

    let issued = tokens.issue(&subject());

    assert_eq!(issued.expires_at, "2027-01-15T09:40:00Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(part(&issued.text, 0), json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "k1"}));
    let claims = part(&issued.text, 1);
    let seconds = 1_800_005_400;
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "aud": AUDIENCE,
            "sub": "usr_00000000000000000000000001", "sid": "ses_00000000000000000000000002",
            "wid": "wsp_00000000000000000000000003", "mid": "mem_00000000000000000000000004",
            "iat": seconds, "nbf": seconds, "exp": seconds + 600, "jti": jti,
        })
    );
    let verified = tokens.verify(&issued.text).unwrap();
    assert_eq!(
        verified,
        AccessToken { subject: subject(), id: jti.to_owned(), expires_at: issued.expires_at }
    );
    assert_ne!(part(&tokens.issue(&subject()).text, 1)["jti"], jti, "each token has its own id");
}

#[test]
fn a_user_may_be_in_no_workspace_yet() {
    let tokens = tokens(&clock());
    let subject = Subject { seat: None, ..subject() };
    let issued = tokens.issue(&subject);
    assert_eq!(part(&issued.text, 1).get("wid"), None);
    assert_eq!(tokens.verify(&issued.text).unwrap().subject, subject);
}

#[test]
fn a_token_lives_ten_minutes_and_five_seconds() {
    let clock = clock();
    let tokens = tokens(&clock);
    let issued = tokens.issue(&subject());
    // It was issued at :00 of its second, and the clock stands at .750.
    clock.advance(Duration::from_millis(604_250));
    assert!(tokens.verify(&issued.text).is_ok());
    clock.advance(Duration::from_millis(1));
    assert_eq!(tokens.verify(&issued.text), Err(InvalidToken));
}

#[test]
fn a_node_whose_clock_is_five_seconds_behind_accepts_the_token() {
    let issued = tokens(&clock()).issue(&subject());
    let behind = |millis: i64| Clock::fixed(clock().now() - TimeDelta::milliseconds(millis));
    assert!(tokens(&behind(5_750)).verify(&issued.text).is_ok());
    assert_eq!(tokens(&behind(5_751)).verify(&issued.text), Err(InvalidToken));
}

#[test]
fn keys_rotate_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token.keys");
    let tokens = AccessTokens::new(TokenKeys::create(&path).unwrap(), clock(), ISSUER, AUDIENCE);
    let first = std::fs::read_to_string(&path).unwrap();
    let old = tokens.issue(&subject()).text;

    let second = format!("next:{}\n", BASE64.encode(&(50..82).collect::<Vec<u8>>()));
    std::fs::write(&path, first + &second).unwrap();
    tokens.reload(&path).unwrap();
    let new = tokens.issue(&subject()).text;
    assert_eq!(part(&new, 0)["kid"], "next");
    assert!(tokens.verify(&old).is_ok() && tokens.verify(&new).is_ok());

    std::fs::write(&path, &second).unwrap();
    tokens.reload(&path).unwrap();
    assert_eq!(tokens.verify(&old), Err(InvalidToken));
    assert!(tokens.verify(&new).is_ok());

    std::fs::write(&path, "nonsense").unwrap();
    assert!(tokens.reload(&path).is_err());
    assert!(tokens.verify(&new).is_ok(), "a file that does not load changes nothing");
}

/// Makes tokens that are genuine but for one thing.
struct Forger {
    genuine: TokenKeys,
    header: Value,
    claims: Value,
}

impl Forger {
    fn new() -> Self {
        let issued = tokens(&clock()).issue(&subject()).text;
        Self { genuine: keys(&[("k1", 1)]), header: part(&issued, 0), claims: part(&issued, 1) }
    }

    fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        self.sign_with(header, claims, &self.genuine.signing().encoding, Algorithm::EdDSA)
    }

    fn sign_with(&self, header: &[u8], claims: &[u8], key: &EncodingKey, algorithm: Algorithm) -> String {
        let message = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    fn genuine(&self) -> String {
        self.sign(self.header.to_string().as_bytes(), self.claims.to_string().as_bytes())
    }

    /// Genuinely signed, with one field of the header set, or taken out if null.
    fn header(&self, field: &str, value: Value) -> String {
        let header = with(&self.header, field, value).to_string();
        self.sign(header.as_bytes(), self.claims.to_string().as_bytes())
    }

    /// Genuinely signed, with one claim set, or taken out if null.
    fn claim(&self, field: &str, value: Value) -> String {
        let claims = with(&self.claims, field, value).to_string();
        self.sign(self.header.to_string().as_bytes(), claims.as_bytes())
    }
}

fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value),
    };
    object
}

fn forged_tokens() -> Vec<(String, String)> {
    let forger = Forger::new();
    let (header, claims) = (forger.header.to_string(), forger.claims.to_string());
    let genuine = forger.genuine();
    let parts: Vec<&str> = genuine.split('.').collect();
    let public = forger.genuine.signing().decoding.try_get_as_bytes().unwrap();
    let public_text = BASE64URL_NOPAD.encode(public);
    let now = clock().now().timestamp();
    let mut forged: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| forged.push((name.to_owned(), token));

    // Algorithms.
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = with(&forger.header, "alg", json!(none)).to_string();
        let unsigned = format!(
            "{}.{}.",
            BASE64URL_NOPAD.encode(header.as_bytes()),
            BASE64URL_NOPAD.encode(claims.as_bytes())
        );
        add(&format!("alg {none}, unsigned"), unsigned);
        add(&format!("alg {none}, signed"), forger.header("alg", json!(none)));
    }
    for (name, key) in [("raw", public.to_vec()), ("base64url", public_text.clone().into_bytes())] {
        let header = with(&forger.header, "alg", json!("HS256")).to_string();
        let key = EncodingKey::from_secret(&key);
        add(
            &format!("HS256 with the {name} public key"),
            forger.sign_with(header.as_bytes(), claims.as_bytes(), &key, Algorithm::HS256),
        );
    }
    for alg in ["HS256", "RS256", "PS256", "ES256", "Ed25519", "eddsa", "", "EdDSA "] {
        add(&format!("alg {alg:?} over an EdDSA signature"), forger.header("alg", json!(alg)));
    }
    add("alg missing", forger.header("alg", Value::Null));
    add("alg a list", forger.header("alg", json!(["EdDSA"])));

    // Keys.
    for kid in ["k2", "", "../k1", "../../etc/passwd", "/dev/null", "k1\0", "K1", "k1' OR '1'='1", " k1"] {
        add(&format!("kid {kid:?}"), forger.header("kid", json!(kid)));
    }
    add("kid missing", forger.header("kid", Value::Null));
    add("kid a number", forger.header("kid", json!(1)));
    let other = keys(&[("k1", 99)]);
    add(
        "another key under a known kid",
        forger.sign_with(header.as_bytes(), claims.as_bytes(), &other.signing().encoding, Algorithm::EdDSA),
    );
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": public_text});
    for (field, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
        ("jwk", jwk),
        ("x5c", json!(["AAAA"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("anything", json!("else")),
    ] {
        add(&format!("header {field} {value}"), forger.header(field, value));
    }

    // Types.
    for typ in ["JWT", "rt+jwt", "AT+JWT", "application/at+jwt", ""] {
        add(&format!("typ {typ:?}"), forger.header("typ", json!(typ)));
    }
    add("typ missing", forger.header("typ", Value::Null));

    // Claims.
    for claim in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti", "wid", "mid"] {
        add(&format!("{claim} missing"), forger.claim(claim, Value::Null));
    }
    for claim in ["iat", "nbf", "exp"] {
        add(&format!("{claim} a string"), forger.claim(claim, json!(forger.claims[claim].to_string())));
        add(&format!("{claim} a fraction"), forger.claim(claim, json!(now as f64 + 300.5)));
        add(&format!("{claim} a list"), forger.claim(claim, json!([now + 300])));
        add(&format!("{claim} beyond any calendar"), forger.claim(claim, json!(i64::MAX)));
        add(&format!("{claim} beyond any number"), forger.claim(claim, json!(u64::MAX)));
    }
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!([ISSUER])),
        ("iss", json!("")),
        ("aud", json!("other-api")),
        ("aud", json!([AUDIENCE])),
        ("aud", json!([AUDIENCE, "other-api"])),
        ("aud", json!("")),
        ("exp", json!(now - 6)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("nbf", json!(now + 6)),
        ("iat", json!(now + 6)),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("sub", json!("wsp_00000000000000000000000001")),
        ("sub", json!("00000000-0000-0000-0000-000000000001")),
        ("sub", json!("")),
        ("sid", json!("usr_00000000000000000000000002")),
        ("wid", json!("mem_00000000000000000000000003")),
        ("mid", json!("wsp_00000000000000000000000004")),
        ("mid", json!(4)),
    ] {
        add(&format!("{claim} {value}"), forger.claim(claim, value));
    }
    let twice = claims.replacen('{', r#"{"sub":"usr_00000000000000000000000009","#, 1);
    add("sub twice", forger.sign(header.as_bytes(), twice.as_bytes()));
    let twice = header.replacen('{', r#"{"kid":"k1","#, 1);
    add("kid twice", forger.sign(twice.as_bytes(), claims.as_bytes()));
    add("claims no object", forger.sign(header.as_bytes(), b"[]"));
    add("claims no JSON", forger.sign(header.as_bytes(), b"{"));
    add("header no JSON", forger.sign(b"{", claims.as_bytes()));
    add("header nested deep", forger.sign("[".repeat(2000).as_bytes(), claims.as_bytes()));

    // Altered after signing.
    let changed = with(&forger.claims, "sub", json!("usr_00000000000000000000000009")).to_string();
    add(
        "claims of another user",
        format!("{}.{}.{}", parts[0], BASE64URL_NOPAD.encode(changed.as_bytes()), parts[2]),
    );
    add("no signature", format!("{}.{}.", parts[0], parts[1]));
    add("zero signature", format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)));
    add("short signature", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..84]));
    add("long signature", format!("{genuine}AAAA"));
    add("padded signature", format!("{genuine}=="));
    let last = parts[2].as_bytes()[85];
    let spelling = (b'A'..=b'z').find(|c| c.is_ascii_alphabetic() && *c != last && !b"AQgw".contains(c));
    let spelling = char::from(spelling.unwrap());
    add("another spelling of the signature", format!("{}{spelling}", &genuine[..genuine.len() - 1]));

    // No tokens at all.
    add("four parts", format!("{genuine}.{}", parts[2]));
    add("two parts", format!("{}.{}", parts[0], parts[1]));
    add("spaces around", format!(" {genuine} "));
    add("line end", format!("{genuine}\n"));
    add("Bearer in front", format!("Bearer {genuine}"));
    for garbage in ["", ".", "..", "...", "null", "é.é.é", "\0.\0.\0", "AAAA.AAAA.AAAA"] {
        add(&format!("garbage {garbage:?}"), garbage.to_owned());
    }
    add("a refresh token", crate::access::secret::SecretToken::generate().expose().to_owned());
    add("more than 4 KiB", forger.claim("note", json!("x".repeat(4096))));
    forged
}

#[test]
fn every_forged_token_gets_the_same_answer() {
    let tokens = tokens(&clock());
    assert!(tokens.verify(&Forger::new().genuine()).is_ok(), "the forger can make a genuine one");
    let forged = forged_tokens();
    assert!(forged.len() >= 30);
    for (name, token) in forged {
        assert_eq!(tokens.verify(&token), Err(InvalidToken), "{name}");
    }
}

#[test]
fn a_long_token_is_refused_for_its_length_alone() {
    let tokens = tokens(&clock());
    let forger = Forger::new();
    // Claims added later are ignored, so that a newer node's tokens verify on an older one.
    let spare = (MAX_BYTES - forger.claim("note", json!("")).len()) * 3 / 4;
    let longest = forger.claim("note", json!("x".repeat(spare)));
    assert!((MAX_BYTES - 3..=MAX_BYTES).contains(&longest.len()), "{}", longest.len());
    assert!(tokens.verify(&longest).is_ok());
    let longer = forger.claim("note", json!("x".repeat(spare + 4)));
    assert!(longer.len() > MAX_BYTES);
    assert_eq!(tokens.verify(&longer), Err(InvalidToken));
}

#[test]
fn no_bit_of_a_token_can_be_flipped() {
    let tokens = tokens(&clock());
    let genuine = tokens.issue(&subject()).text.into_bytes();
    for index in 0..genuine.len() * 8 {
        let mut flipped = genuine.clone();
        flipped[index / 8] ^= 1 << (index % 8);
        if let Ok(text) = std::str::from_utf8(&flipped) {
            assert_eq!(tokens.verify(text), Err(InvalidToken), "bit {index}");
        }
    }
}
