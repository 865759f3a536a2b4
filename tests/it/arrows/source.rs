//! Reads source files for the rules about them: their code without tests, and the modules that they name. Works on tokens, so that comments
//! and strings say nothing, and macros, `use` trees and whatever follows a test are seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path from the crate's root.
pub type Module = Vec<String>;

/// A file of the crate and what stands in it.
pub struct Source {
    pub path: PathBuf,
    pub module: Module,
    pub text: String,
}

/// Every file of the crate but its tests and the binary's root, by module.
pub fn all() -> BTreeMap<Module, Source> {
    let mut sources = files();
    let for_tests: Vec<Module> = sources.values().flat_map(modules_for_tests).collect();
    sources.retain(|module, _| !for_tests.iter().any(|tests| module.starts_with(tests)));
    sources
}

/// The modules that a file declares for tests alone.
fn modules_for_tests(source: &Source) -> Vec<Module> {
    let declared = source.text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| {
        let (line, _) = rest.split_once(";\n")?;
        Some(line.split_once("mod ")?.1).filter(|name| !name.contains(char::is_whitespace))
    });
    declared.map(|name| [&source.module[..], &[name.to_owned()]].concat()).collect()
}

fn files() -> BTreeMap<Module, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Some(module) = module_of(path.strip_prefix(&root).expect("below the root")) else { continue };
            let text = std::fs::read_to_string(&path).expect("a readable source file");
            sources.insert(module.clone(), Source { path, module, text });
        }
    }
    sources
}

fn module_of(file: &Path) -> Option<Module> {
    let mut module: Module =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if file.extension().is_none_or(|ending| ending != "rs") || file == Path::new("main.rs") {
        return None;
    }
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    Some(module)
}

/// The tokens of a file without what is compiled for tests alone.
pub fn code(text: &str) -> TokenStream {
    without_tests(text.parse().expect("a file that compiles"))
}

fn without_tests(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut kept, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        if is_punct(Some(token), '#') && tokens.get(at + 1).is_some_and(is_for_tests) {
            at += 2;
            // Its item ends with a body or a semicolon.
            while let Some(token) = tokens.get(at) {
                at += 1;
                let body = matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                if body || is_punct(Some(token), ';') {
                    break;
                }
            }
            continue;
        }
        kept.push(match token {
            TokenTree::Group(group) => {
                proc_macro2::Group::new(group.delimiter(), without_tests(group.stream())).into()
            }
            other => other.clone(),
        });
        at += 1;
    }
    kept.into_iter().collect()
}

/// `[cfg(test)]`.
fn is_for_tests(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// The paths from the crate's root that code in `module` names.
pub fn named(code: TokenStream, module: &[String]) -> Vec<Module> {
    let mut found = Vec::new();
    walk(code, &mut module.to_vec(), &mut found);
    found
}

fn walk(tokens: TokenStream, module: &mut Module, found: &mut Vec<Module>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let (Some("mod"), Some(name), Some(TokenTree::Group(body))) =
            (word(Some(token)).as_deref(), word(tokens.get(at + 1)), tokens.get(at + 2))
        {
            module.push(name);
            walk(body.stream(), module, found);
            module.pop();
            at += 3;
            continue;
        }
        let continues = at >= 2 && is_punct(tokens.get(at - 1), ':') && is_punct(tokens.get(at - 2), ':');
        let begins = !continues && is_path_separator(&tokens, at + 1);
        let base = match word(Some(token)).as_deref() {
            Some("crate") if begins => Some(Module::new()),
            Some("self") if begins => Some(module.clone()),
            Some("super") if begins => Some(parent(module)),
            _ => None,
        };
        if let Some(base) = base {
            follow(base, &tokens, at + 1, found);
        } else if let TokenTree::Group(group) = token {
            walk(group.stream(), module, found);
        }
        at += 1;
    }
}

/// Follows a path whose beginning is known: `::name`, `::super`, `::{a, b::c}`.
fn follow(mut path: Module, tokens: &[TokenTree], mut at: usize, found: &mut Vec<Module>) {
    while is_path_separator(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(name)) if name == "super" => path = parent(&path),
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) => return branch(&path, group.stream(), found),
            _ => break,
        }
        at += 3;
    }
    found.push(path);
}

/// The branches of a `use` tree.
fn branch(path: &[String], tokens: TokenStream, found: &mut Vec<Module>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for tokens in tokens.split(|token| is_punct(Some(token), ',')) {
        match tokens.first() {
            Some(TokenTree::Ident(name)) if name == "self" => found.push(path.to_vec()),
            Some(TokenTree::Ident(name)) => {
                follow([path, &[name.to_string()]].concat(), tokens, 1, found);
            }
            Some(_) => found.push(path.to_vec()),
            None => {}
        }
    }
}

fn parent(module: &[String]) -> Module {
    module.split_last().map_or_else(Module::new, |(_, parent)| parent.to_vec())
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = r#"
        //! crate::in_a_comment
        use crate::web::{self, error::Error, pages::{Home, list::*}};
        #[cfg(test)]
        mod tests { use crate::in_a_test::X; }
        #[cfg(test)]
        use crate::also::{in_a_test, for_tests};
        fn after() -> super::sibling::Thing { let s = "crate::in_a_string"; run!(crate::store::mysql::open()) }
        macro_rules! queries { () => { $crate::domain::ids::PaymentId } }
        mod inner { use super::super::other::Y; fn f() { self::g() } }
    "#;
    let module = ["room".to_owned(), "file".to_owned()];
    let found: Vec<String> = named(code(text), &module).iter().map(|path| path.join("::")).collect();
    let expected = [
        "web",
        "web::error::Error",
        "web::pages::Home",
        "web::pages::list",
        "room::sibling::Thing",
        "store::mysql::open",
        "domain::ids::PaymentId",
        "room::other::Y",
        "room::file::inner::g",
    ];
    assert_eq!(found, expected);
}
