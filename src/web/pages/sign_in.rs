//! `/sign-in` and `/register`.

use askama::Template;

use super::form::FieldError;
use super::layout::Layout;

/// Either page; they share a template.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The frame.
    pub layout: Layout,
    /// Whether this is `/register`.
    pub register: bool,
    /// The address as typed.
    pub email: String,
    /// The name as typed.
    pub name: String,
    /// Where to go afterwards; a path of this site.
    pub next: String,
    /// What was wrong.
    pub error: Option<FieldError>,
}

impl SignInPage {
    /// What is wrong with a field.
    #[must_use]
    pub fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.message.as_str())
    }

    /// What is wrong where no field is at fault.
    #[must_use]
    pub fn error_of_all(&self) -> Option<&str> {
        const FIELDS: [&str; 3] = ["email", "name", "password"];
        self.error.as_ref().filter(|error| !FIELDS.contains(&error.field.as_str())).map(|error| error.message.as_str())
    }
}

/// Where to go after signing in: only paths of this site, or a link in a mail could lead anywhere.
#[must_use]
pub fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if local { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        assert_eq!(safe_next("/payments?q=a"), "/payments?q=a");
        for elsewhere in ["//evil.test", "https://evil.test", "/\\evil.test", "", "javascript:alert(1)", "/a\r\nb"] {
            assert_eq!(safe_next(elsewhere), "/");
        }
    }
}
