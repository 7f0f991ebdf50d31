//! Reads one source file: text → `syn` → every path it names, resolved to crate level where it starts with `crate`,
//! `self`, `super` or the crate's own name, with its line and whether test code names it.
//!
//! Paths are taken from use trees, types, expressions, patterns, macros' token streams (where `syn` sees only tokens)
//! and string literals in attributes (`#[serde(with = "crate::x")]`).

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// One path as a file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Segments from the crate's root, beginning with `crate`, or those of a foreign or relative path as written.
    pub path: Vec<String>,
    /// 1-based.
    pub line: usize,
    /// Inside `#[cfg(test)]` or `#[test]`.
    pub in_test: bool,
}

/// What a file mentions.
#[derive(Debug, Default)]
pub struct Scan {
    pub mentions: Vec<Mention>,
    /// Lines with `async` or `.await`, test code left out.
    pub asyncs: Vec<usize>,
    /// `#[path = "file"] mod name;`: file name, full module path, and whether it is test code.
    pub redirected: Vec<(String, Vec<String>, bool)>,
    /// `#[cfg(test)] mod name;`: full module paths.
    pub test_modules: Vec<Vec<String>>,
}

/// Scans a file that is the module `module` (segments below the crate's root; empty for the root).
pub fn scan(source: &str, module: &[String], is_test_file: bool) -> syn::Result<Scan> {
    let file = syn::parse_file(source)?;
    let mut scanner = Scanner { module: module.to_vec(), test_depth: usize::from(is_test_file), scan: Scan::default() };
    scanner.visit_file(&file);
    Ok(scanner.scan)
}

struct Scanner {
    module: Vec<String>,
    test_depth: usize,
    scan: Scan,
}

impl Scanner {
    fn mention(&mut self, segments: &[String], line: usize) {
        if segments.is_empty() {
            return;
        }
        let mention = Mention { path: resolve(&self.module, segments), line, in_test: self.test_depth > 0 };
        if !self.scan.mentions.contains(&mention) {
            self.scan.mentions.push(mention);
        }
    }

    fn note_async(&mut self, line: usize) {
        if self.test_depth == 0 && !self.scan.asyncs.contains(&line) {
            self.scan.asyncs.push(line);
        }
    }

    fn use_tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.use_tree(prefix, item);
                }
            }
            syn::UseTree::Name(name) => self.use_leaf(prefix, &name.ident),
            syn::UseTree::Rename(rename) => self.use_leaf(prefix, &rename.ident),
            syn::UseTree::Glob(glob) => {
                let path = [prefix.as_slice(), &["*".to_owned()]].concat();
                self.mention(&path, glob.span().start().line);
            }
        }
    }

    fn use_leaf(&mut self, prefix: &[String], leaf: &syn::Ident) {
        let mut path = prefix.to_vec();
        if leaf != "self" || path.is_empty() {
            path.push(leaf.to_string());
        }
        self.mention(&path, leaf.span().start().line);
    }

    fn tokens(&mut self, stream: TokenStream) {
        for (path, line) in token_paths(stream) {
            match path.first().map(String::as_str) {
                Some("async" | "await") => self.note_async(line),
                _ => self.mention(&path, line),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Scanner {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = is_test(&item.attrs);
        self.test_depth += usize::from(is_test);
        self.module.push(item.ident.to_string());
        if item.content.is_none() {
            if let Some(file) = path_attribute(&item.attrs) {
                let redirect = (file, self.module.clone(), self.test_depth > 0);
                self.scan.redirected.push(redirect);
            } else if self.test_depth > 0 {
                self.scan.test_modules.push(self.module.clone());
            }
        }
        visit::visit_item_mod(self, item);
        self.module.pop();
        self.test_depth -= usize::from(is_test);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let is_test = is_test(&item.attrs);
        self.test_depth += usize::from(is_test);
        visit::visit_item_fn(self, item);
        self.test_depth -= usize::from(is_test);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let is_test = is_test(&item.attrs);
        self.test_depth += usize::from(is_test);
        visit::visit_item_impl(self, item);
        self.test_depth -= usize::from(is_test);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_test = is_test(&item.attrs);
        self.test_depth += usize::from(is_test);
        self.use_tree(&mut Vec::new(), &item.tree);
        self.test_depth -= usize::from(is_test);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.mention(&segments, path.span().start().line);
        visit::visit_path(self, path);
    }

    /// `pub(crate)` and `pub(in crate::x)` can only name ancestors.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if let Some(token) = signature.asyncness {
            self.note_async(token.span.start().line);
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, expression: &'ast syn::ExprAsync) {
        self.note_async(expression.async_token.span.start().line);
        visit::visit_expr_async(self, expression);
    }

    fn visit_expr_await(&mut self, expression: &'ast syn::ExprAwait) {
        self.note_async(expression.await_token.span.start().line);
        visit::visit_expr_await(self, expression);
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().trim() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(file), .. }) = &pair.value else {
            return None;
        };
        pair.path.is_ident("path").then(|| file.value())
    })
}

/// `self::`, `super::` and the crate's own name become `crate::…`; other paths stay as they are.
fn resolve(module: &[String], segments: &[String]) -> Vec<String> {
    let root = || vec!["crate".to_owned()];
    match segments[0].as_str() {
        "crate" | "podlaunch" => [root(), segments[1..].to_vec()].concat(),
        "self" | "super" => {
            let mut base = module.to_vec();
            let mut rest = segments;
            while let Some(first) = rest.first() {
                match first.as_str() {
                    "self" => {}
                    "super" => {
                        base.pop();
                    }
                    _ => break,
                }
                rest = &rest[1..];
            }
            [root(), base, rest.to_vec()].concat()
        }
        _ => segments.to_vec(),
    }
}

/// All `a::b::{c, d}` in a token stream, groups and attribute strings included, each leaf with its line.
fn token_paths(stream: TokenStream) -> Vec<(Vec<String>, usize)> {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if ident == "pub" && is_group(tokens.get(at + 1)) => at += 2,
            TokenTree::Ident(_) => at = token_path(&tokens, at, &[], &mut found),
            TokenTree::Group(group) => {
                found.extend(token_paths(group.stream()));
                at += 1;
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Some(path) = text.trim_matches('"').strip_prefix("crate::") {
                    let mut segments = vec!["crate".to_owned()];
                    segments.extend(path.split("::").map(str::to_owned));
                    found.push((segments, literal.span().start().line));
                }
                at += 1;
            }
            TokenTree::Punct(_) => at += 1,
        }
    }
    found
}

/// Reads one path that begins with the identifier at `at`; returns where it ends.
fn token_path(tokens: &[TokenTree], mut at: usize, prefix: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    let line = tokens[at].span().start().line;
    let mut path = prefix.to_vec();
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        path.push(ident.to_string());
        at += 1;
        if !(is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))) {
            break;
        }
        at += 2;
        if let Some(TokenTree::Group(group)) = tokens.get(at)
            && group.delimiter() == Delimiter::Brace
        {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let mut inside = 0;
            while inside < inner.len() {
                inside = match inner[inside] {
                    TokenTree::Ident(_) => token_path(&inner, inside, &path, found),
                    _ => inside + 1,
                };
            }
            return at + 1;
        }
    }
    found.push((path, line));
    at
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_group(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}
