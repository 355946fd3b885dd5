//! Tokenizers and chat templates against Hugging Face's Python packages, and against llama.cpp's vocabularies.
//!
//! References are made by `parity/make_tokenizers.py`; `ACUMEN_TOKENIZER_REFERENCES` names a folder of others.
//! `ACUMEN_LLAMA_CPP_VOCABS` names the folder `models` of llama.cpp's repository, whose vocabularies come with texts and
//! the tokens of their original tokenizers.

use std::path::{Path, PathBuf};

use acumen_models::Token;
use acumen_models::tokenizer::Tokenizer;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Encoded>,
    sequences: Vec<Decoded>,
    #[serde(default)]
    chats: Vec<Chat>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<Token>,
    plain: Vec<Token>,
}

#[derive(Deserialize)]
struct Decoded {
    ids: Vec<Token>,
    text: String,
    skipped: String,
}

#[derive(Deserialize)]
struct Chat {
    name: String,
    template: String,
    /// What the template is given besides itself.
    given: Map<String, Value>,
    /// None where the template refuses.
    text: Option<String>,
}

fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tokenizers");
    let root = std::env::var_os("ACUMEN_TOKENIZER_REFERENCES").map_or(own, PathBuf::from);
    let mut all: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.join("reference.json").exists());
    all.sort();
    assert!(!all.is_empty());
    all
}

/// What differs: all of it is told at once.
#[derive(Default)]
struct Report(Vec<String>);

impl Report {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: impl Fn() -> String, found: &T, wanted: &T) {
        if found != wanted {
            self.0.push(format!("{}:\n  found    {found:?}\n  expected {wanted:?}", what()));
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{} differences\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn texts_become_the_tokens_of_the_reference_and_back() {
    let mut report = Report::default();
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let reference: Reference =
            serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap();
        if reference.texts.is_empty() {
            continue;
        }
        let tokenizer = Tokenizer::from_folder(&folder).unwrap();
        for case in &reference.texts {
            let at = || format!("{name}, {:?}", case.text);
            report.same(at, &tokenizer.encode(&case.text, true).unwrap(), &case.ids);
            report.same(at, &tokenizer.encode(&case.text, false).unwrap(), &case.plain);
        }
        for case in &reference.sequences {
            let at = || format!("{name}, {:?}", case.ids);
            report.same(at, &tokenizer.decode(&case.ids, false).unwrap(), &case.text);
            report.same(at, &tokenizer.decode(&case.ids, true).unwrap(), &case.skipped);
        }
    }
    report.end();
}

#[test]
fn chats_become_the_texts_of_the_reference() {
    use acumen_models::tokenizer::ChatTemplate;
    let mut report = Report::default();
    for folder in folders() {
        let reference: Reference =
            serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap();
        for mut case in reference.chats {
            let messages = case.given.remove("messages").unwrap();
            let prompt = case.given.remove("add_generation_prompt") == Some(Value::Bool(true));
            let made = ChatTemplate::new(&case.template, Map::new())
                .and_then(|template| template.render(messages.as_array().unwrap(), prompt, &case.given));
            match (made, case.text) {
                (Err(_), None) => {}
                (Err(error), Some(_)) => report.0.push(format!("{}: {error}", case.name)),
                (Ok(made), wanted) => report.same(|| case.name.clone(), &Some(made), &wanted),
            }
        }
    }
    report.end();
}

#[cfg(feature = "libtorch")]
#[test]
fn vocabularies_of_llama_cpp_give_the_tokens_of_their_originals() {
    let Some(root) = std::env::var_os("ACUMEN_LLAMA_CPP_VOCABS").map(PathBuf::from) else { return };
    let mut report = Report::default();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let beside = |extension: &str| std::fs::read_to_string(format!("{}.{extension}", path.display()));
        let (Ok(texts), Ok(ids)) = (beside("inp"), beside("out")) else { continue };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let tokenizer = match Tokenizer::of_model(&path, 1 << 30) {
            Ok(tokenizer) => tokenizer.unwrap(),
            Err(error) => {
                eprintln!("{error}");
                continue;
            }
        };
        for (text, line) in texts.split("\n__ggml_vocab_test__\n").zip(ids.lines()) {
            let wanted: Vec<Token> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
            let found = tokenizer.encode(text, false).unwrap();
            report.same(|| format!("{name}, {text:?}"), &found, &wanted);
        }
    }
    report.end();
}
