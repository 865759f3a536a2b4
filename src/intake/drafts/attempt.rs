//! Reads the parameters of one attempt beside the card: whether the cardholder is present, what to do if they would have
//! to authenticate, where they return to, and whose card it is.

use url::Url;

use super::contact;
use crate::domain::instrument::Presented;
use crate::intake::details::{AttemptDetail, BillingDetails, Named};
use crate::intake::error::InputError;
use crate::intake::params::Params;

const BILLING: &str = "payment_method_data[billing_details]";
const BILLING_CHARS_MAX: usize = 500;
const RETURN_URL_BYTES_MAX: usize = 2_048;
const REQUEST_3DS: &str = "payment_method_options[card][request_three_d_secure]";

/// An attempt as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// What came beside the card, without the name of the detail.
    pub presented: Presented,
    /// Stored beside the payment.
    pub detail: AttemptDetail,
}

impl Attempt {
    /// Reads it. Must run before the card is read, which refuses parameters it does not know.
    ///
    /// # Errors
    /// [`InputError`] names the parameter at fault.
    pub fn read(params: &mut Params<'_>) -> Result<Self, InputError> {
        let billing = billing_details(params)?;
        let address = billing.as_ref().map(|billing| &billing.address);
        let postal = address.is_some_and(|address| address.postal_code.is_some());
        let line1 = address.is_some_and(|address| address.line1.is_some());
        let presented = Presented::when(postal, Presented::POSTAL)
            .with(Presented::when(line1, Presented::LINE1))
            .with(Presented::when(off_session(params)?, Presented::OFF_SESSION))
            .with(Presented::when(
                params.boolean("error_on_requires_action")? == Some(true),
                Presented::NO_ACTION,
            ))
            .with(Presented::when(request_3ds(params)?, Presented::REQUEST_3DS));
        Ok(Self { presented, detail: AttemptDetail { return_url: return_url(params)?, billing } })
    }

    /// What came beside the card, with the name of the detail, and the detail itself.
    #[must_use]
    pub fn named(&self) -> (Presented, Option<Named>) {
        let detail = self.detail.named();
        (self.presented.naming(detail.as_ref().map_or(0, |(id, _)| *id)), detail)
    }

    /// Refuses parameters that make sense only where the payment is confirmed at once.
    ///
    /// # Errors
    /// Names the parameter.
    pub fn must_wait(&self) -> Result<(), InputError> {
        let given = [
            ("off_session", self.presented.has(Presented::OFF_SESSION)),
            ("error_on_requires_action", self.presented.has(Presented::NO_ACTION)),
            ("return_url", self.detail.return_url.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("{name} can only be passed together with confirm=true.");
                Err(InputError::new(name, "parameter_invalid_confirm", message))
            }
        }
    }
}

/// `true`, `false`, or one of the dialect's kinds of off-session payment.
fn off_session(params: &mut Params<'_>) -> Result<bool, InputError> {
    let name = "off_session";
    if matches!(params.peek_text(name), Some("one_off" | "recurring")) {
        params.text(name)?;
        return Ok(true);
    }
    Ok(params.boolean(name)?.unwrap_or(false))
}

fn request_3ds(params: &mut Params<'_>) -> Result<bool, InputError> {
    match params.text(REQUEST_3DS)?.as_deref() {
        None | Some("automatic") => Ok(false),
        Some("any" | "challenge") => Ok(true),
        Some(_) => {
            let message = "Invalid request_three_d_secure: must be one of automatic, any or challenge.";
            Err(InputError::new(REQUEST_3DS, "parameter_invalid_enum", message))
        }
    }
}

/// An address that a browser can be sent to. Any scheme but http and https could run script in the name of our own page.
fn return_url(params: &mut Params<'_>) -> Result<Option<String>, InputError> {
    let Some(text) = params.text("return_url")? else {
        return Ok(None);
    };
    let url = Url::parse(&text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && text.len() <= RETURN_URL_BYTES_MAX
    });
    match url {
        Some(_) => Ok(Some(text.into_owned())),
        None => {
            let message = "Not a valid URL: an address that begins with http:// or https:// was expected.";
            Err(InputError::new("return_url", "url_invalid", message))
        }
    }
}

fn billing_details(params: &mut Params<'_>) -> Result<Option<BillingDetails>, InputError> {
    if !params.has(BILLING) {
        return Ok(None);
    }
    // `billing_details=` counts as absent.
    params.text(BILLING)?;
    let address = contact::address(params, &format!("{BILLING}[address]"))?;
    let mut text = |name: &str| -> Result<Option<String>, InputError> {
        let path = format!("{BILLING}{name}");
        Ok(params.text_up_to(&path, BILLING_CHARS_MAX)?.map(String::from))
    };
    let billing = BillingDetails {
        address,
        email: text("[email]")?,
        name: text("[name]")?,
        phone: text("[phone]")?,
        tax_id: None,
    };
    match &billing.email {
        Some(email) if !email.contains('@') => {
            let message = "Invalid email address.";
            Err(InputError::new(format!("{BILLING}[email]"), "email_invalid", message))
        }
        Some(_) | None => Ok((billing != BillingDetails::default()).then_some(billing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<Attempt, InputError> {
        let mut params = Params::from_form(form).unwrap();
        let attempt = Attempt::read(&mut params)?;
        params.finish()?;
        Ok(attempt)
    }

    #[test]
    fn return_urls_lead_to_the_web_and_nowhere_else() {
        for url in ["https://shop.example/done?order=1", "http://127.0.0.1:3000/", "https://a.example#x"] {
            let form = format!("return_url={}", url.replace('?', "%3F").replace('#', "%23"));
            assert_eq!(read(&form).unwrap().detail.return_url.as_deref(), Some(url));
        }
        for url in [
            "javascript:alert(1)",
            "data:text/html,x",
            "/done",
            "shop.example",
            "https://user:password@shop.example",
            "https://",
            "myapp://done",
        ] {
            let found = read(&format!("return_url={url}"));
            assert!(found.is_err_and(|error| error.code == "url_invalid"), "{url}");
        }
        let broken = read("return_url=https://shop.example/%0D%0Ax").unwrap_err();
        assert_eq!((broken.param.as_deref(), broken.code), (Some("return_url"), "parameter_invalid_string"));
    }

    #[test]
    fn parameters_of_an_attempt_are_read() {
        let attempt = read("off_session=true&error_on_requires_action=true").unwrap();
        assert!(attempt.presented.has(Presented::OFF_SESSION.with(Presented::NO_ACTION)));
        assert!(attempt.must_wait().is_err());
        assert!(read("off_session=recurring").unwrap().presented.has(Presented::OFF_SESSION));
        assert_eq!(read("off_session=perhaps").unwrap_err().code, "parameter_invalid_boolean");
        let billing = "payment_method_data[billing_details]";
        let attempt = read(&format!(
            "{billing}[name]=Ada&{billing}[address][postal_code]=94111&{billing}[email]=ada@example.org&{billing}[phone]="
        ))
        .unwrap();
        assert!(attempt.presented.has(Presented::POSTAL) && !attempt.presented.has(Presented::LINE1));
        let kept = attempt.detail.billing.as_ref().unwrap();
        assert_eq!((kept.name.as_deref(), kept.phone.as_deref()), (Some("Ada"), None));
        assert!(attempt.must_wait().is_ok());
        assert_eq!(read(&format!("{billing}[nickname]=A")).unwrap_err().code, "parameter_unknown");
        assert!(
            read("payment_method_options[card][request_three_d_secure]=any")
                .unwrap()
                .presented
                .has(Presented::REQUEST_3DS)
        );
    }
}
