//! Parameters that are read, and parameters that are refused.

use super::*;

#[test]
fn forms_and_json_become_the_same() {
    let form = "amount=1250&card[number]=4242&metadata%5Border%5D=a+b&expand[]=x&expand[]=y";
    let json = br#"{"amount":"1250","card":{"number":"4242"},"metadata":{"order":"a b"},"expand":["x","y"]}"#;
    assert_eq!(Params::from_form(form).unwrap(), Params::from_json(json).unwrap());
    let mut params = Params::from_json(json).unwrap();
    assert_eq!(params.integer("amount").unwrap(), Some(1250));
    assert_eq!(params.text("card[number]").unwrap().as_deref(), Some("4242"));
    assert_eq!(params.map("metadata").unwrap(), [("order".to_owned(), "a b".to_owned())]);
    assert_eq!(params.list("expand").unwrap(), ["x", "y"]);
    assert!(params.finish().is_ok());
}

#[test]
fn a_form_is_the_same_however_it_was_sent() {
    let form = |text: &str| Params::from_form(text).unwrap().form();
    let json = Params::from_json(br#"{"b":{"c":"x"},"a":12,"e":["1","2"],"f":true}"#).unwrap().form();
    assert_eq!(form("e[]=1&a=12&f=true&b[c]=x&e[]=2"), json);
    assert_ne!(form("e[]=2&a=12&f=true&b[c]=x&e[]=1"), json, "a list has an order");
    assert_ne!(form("a=1&b=2"), form("a=1&b=3"));
    assert_ne!(form("a=1b"), form("a=&1b="));
    assert_eq!(form("a=1&idempotency_key=k"), form("a=1"));
}

#[test]
fn unknown_parameters_are_named() {
    let error = Params::from_form("amout=1").unwrap().finish().unwrap_err();
    assert_eq!((error.param.as_deref(), error.code), (Some("amout"), "parameter_unknown"));
    let error = Params::from_form("4242424242424242=1").unwrap().finish().unwrap_err();
    assert!(!error.message.contains("4242"));
}

#[test]
fn control_characters_are_named_where_they_stand() {
    for control in ["%00", "%08", "%0a", "%1b", "%7f", "%c2%85", "%e2%80%a8", "%e2%80%ae"] {
        let form = format!("a=x{control}&b[c]=x{control}&d[x{control}]=1&e[]=x{control}");
        let mut params = Params::from_form(&form).unwrap();
        let param = |error: InputError| error.param.map(String::from).unwrap_or_default();
        assert!(Params::from_form(&form).unwrap().file("a").unwrap().is_some());
        assert_eq!(param(params.text("a").unwrap_err()), "a");
        assert_eq!(param(params.map("b").unwrap_err()), "b[c]");
        assert_eq!(param(params.map("d").unwrap_err()), "d[x]");
        assert_eq!(param(params.list("e").unwrap_err()), "e[]");
    }
}

#[test]
fn bounds_hold() {
    let many: String = (0..=PARAMS_MAX).map(|n| format!("a{n}=1&")).collect();
    assert!(Params::from_form(&many).is_err());
    assert!(Params::from_json(br#"{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}"#).is_err());
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert!(Params::from_json(deep.as_bytes()).is_err());
    assert!(Params::from_json(b"[1]").is_err());
}
