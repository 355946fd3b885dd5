//! Against Hugging Face's Python packages, and the laws of decoding.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

#[derive(serde::Deserialize)]
struct Reference {
    tokenizers: Vec<Trained>,
    chats: Chats,
}

#[derive(Clone, serde::Deserialize)]
struct Trained {
    model: String,
    pre: Option<String>,
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Option<Vec<String>>,
    scores: Option<Vec<f32>>,
    answers: Vec<Answer>,
}

#[derive(Clone, serde::Deserialize)]
struct Answer {
    text: String,
    ids: Vec<Token>,
    decoded: String,
}

#[derive(serde::Deserialize)]
struct Chats {
    messages: Vec<Message>,
    cases: Vec<Chat>,
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(serde::Deserialize)]
struct Chat {
    name: String,
    template: String,
    text: String,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/data/tokenizers.json")).unwrap()
}

#[cfg(feature = "libtorch")]
mod from_gguf {
    use super::*;
    use crate::gguf::testing::Writer;

    /// The metadata of a GGUF file with this vocabulary.
    fn file(trained: &Trained) -> Writer {
        let texts = |texts: &[String]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let strings = |writer: Writer, key: &str, values: &[Vec<u8>]| {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            writer.texts(key, &values)
        };
        let mut writer = Writer::default().text("tokenizer.ggml.model", &trained.model);
        writer = strings(writer, "tokenizer.ggml.tokens", &texts(&trained.tokens));
        let types: Vec<_> = trained.types.iter().map(|kind| kind.to_le_bytes().to_vec()).collect();
        writer = writer.array("tokenizer.ggml.token_type", 5, &types);
        if let Some(pre) = &trained.pre {
            writer = writer.text("tokenizer.ggml.pre", pre);
        }
        if let Some(merges) = &trained.merges {
            writer = strings(writer, "tokenizer.ggml.merges", &texts(merges));
        }
        if let Some(scores) = &trained.scores {
            let scores: Vec<_> = scores.iter().map(|score| score.to_le_bytes().to_vec()).collect();
            writer =
                writer.array("tokenizer.ggml.scores", 6, &scores).u32("tokenizer.ggml.unknown_token_id", 0);
        }
        let begin = trained.tokens.iter().position(|token| token == "<s>" || token == "<|begin|>").unwrap();
        writer
            .u32("tokenizer.ggml.bos_token_id", begin as u32)
            .u32("tokenizer.ggml.eos_token_id", begin as u32 + 1)
    }

    fn tokenizer(writer: &Writer) -> Result<Tokenizer, TokenizerError> {
        Tokenizer::from_gguf(&writer.open().unwrap())
    }

    #[test]
    fn every_kind_gives_the_ids_and_texts_of_the_reference() {
        for trained in reference().tokenizers {
            let name = trained.pre.clone().unwrap_or_else(|| trained.model.clone());
            let tokenizer = tokenizer(&file(&trained)).unwrap();
            assert_eq!((tokenizer.vocab_size(), tokenizer.kind()), (trained.tokens.len(), "bpe"), "{name}");
            for Answer { text, ids, decoded } in &trained.answers {
                assert_eq!(&tokenizer.encode(text, false).unwrap(), ids, "{name}: {text:?}");
                assert_eq!(&tokenizer.decode(ids, false).unwrap(), decoded, "{name}: {text:?}");
            }
        }
    }

    #[test]
    fn the_begin_token_follows_the_file_then_the_kind() {
        for trained in reference().tokenizers {
            let by_kind = matches!(trained.pre.as_deref(), None | Some("llama-bpe" | "tekken"));
            for (said, expected) in [(None, by_kind), (Some(true), true), (Some(false), false)] {
                let mut writer = file(&trained);
                if let Some(said) = said {
                    writer = writer.truth("tokenizer.ggml.add_bos_token", said);
                }
                let tokenizer = tokenizer(&writer).unwrap();
                let bare = tokenizer.encode("whale", false).unwrap();
                let mut whole = tokenizer.encode("whale", true).unwrap();
                if expected {
                    let first = &trained.tokens[whole.remove(0) as usize];
                    assert!(first == "<s>" || first == "<|begin|>", "{first}");
                }
                assert_eq!(whole, bare, "{:?} {said:?}", trained.pre);
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_name() {
        let trained = reference().tokenizers.remove(0);
        let refused = |trained: &Trained| tokenizer(&file(trained)).unwrap_err().to_string();
        let rare = Trained { pre: Some("spiral".into()), ..trained.clone() };
        assert!(
            refused(&rare).contains("`spiral`") && refused(&rare).contains("smollm"),
            "{}",
            refused(&rare)
        );
        let none = Trained { pre: None, ..trained.clone() };
        assert_eq!(tokenizer(&file(&none)).unwrap().kind(), "bpe");
        let bert = Trained { model: "bert".into(), ..trained.clone() };
        assert!(refused(&bert).contains("`bert`"));
        let short = Trained { types: vec![1], ..trained.clone() };
        assert!(refused(&short).contains("1 token types"), "{}", refused(&short));
        let bare = Trained { merges: None, ..trained };
        assert!(refused(&bare).contains("tokenizer.ggml.merges"));
        let missing = Writer::default().text("general.architecture", "llama");
        assert!(matches!(tokenizer(&missing), Err(TokenizerError::Missing(_))));
    }

    #[test]
    fn a_template_knows_the_tokens_and_ends_are_found() {
        let trained = reference().tokenizers.remove(0);
        let writer = file(&trained)
            .text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
        let tokenizer = tokenizer(&writer).unwrap();
        let text = tokenizer.chat_template().unwrap().render(&[json!({ "content": "x" })], true, &Map::new());
        assert_eq!(text.unwrap(), "<|begin|>x<|end|>");
        let end = tokenizer.id("<|end|>").unwrap();
        assert_eq!(tokenizer.end_tokens(), [end]);
        assert!(tokenizer.is_special(end));
        assert_eq!(tokenizer.decode(&[end], true).unwrap(), "");
    }

    proptest! {
        /// Any tokens, also such as no text gives: what a stream says is what the whole says, and what the reference
        /// implementation says where that is text.
        #[test]
        fn a_stream_gives_the_text_of_the_whole(ids in prop::collection::vec(0u32..420, 0..40)) {
            for trained in [reference().tokenizers.remove(0), reference().tokenizers.pop().unwrap()] {
                let tokenizer = tokenizer(&file(&trained)).unwrap();
                let whole = tokenizer.decode(&ids, false).unwrap();
                let theirs = tokenizer.decode_by_encoder(&ids, false).unwrap();
                if !theirs.contains('\u{FFFD}') {
                    prop_assert_eq!(&whole, &theirs);
                }
                let mut stream = tokenizer.detokenizer(false);
                let mut text = String::new();
                for id in &ids {
                    text += &stream.push(*id).unwrap();
                }
                text += &stream.finish();
                prop_assert_eq!(&text, &whole);
            }
        }
    }
}

#[test]
fn chat_templates_give_the_text_of_jinja() {
    let chats = reference().chats;
    let tokens = Map::from_iter([("eos_token".to_owned(), json!("</s>"))]);
    for Chat { name, template, text } in chats.cases {
        let template = ChatTemplate::new(&template, tokens.clone()).unwrap();
        assert_eq!(template.render(&chats.messages, true, &Map::new()).unwrap(), text, "{name}");
    }
}

#[test]
fn tojson_writes_what_python_writes() {
    let value = json!([{ "b": 1, "a": { "é🐳\u{7f}\"\n": null }, "c": [], "d": {} }]);
    let render = |arguments: &str| {
        let source = format!("{{{{ messages[0]|tojson({arguments}) }}}}");
        let template = ChatTemplate::new(&source, Map::new()).unwrap();
        template.render(value.as_array().unwrap(), false, &Map::new())
    };
    let text = |arguments: &str| render(arguments).unwrap();
    let plain = "{\"a\": {\"é🐳\u{7f}\\\"\\n\": null}, \"b\": 1, \"c\": [], \"d\": {}}";
    assert_eq!(text(""), plain);
    assert_eq!(text("separators=(',', ':')"), plain.replace(": ", ":").replace(", ", ","));
    let escaped = plain.replace("é🐳\u{7f}", "\\u00e9\\ud83d\\udc33\\u007f");
    assert_eq!(text("ensure_ascii=true"), escaped);
    let lines =
        "{\n  \"a\": {\n    \"é🐳\u{7f}\\\"\\n\": null\n  },\n  \"b\": 1,\n  \"c\": [],\n  \"d\": {}\n}";
    assert_eq!(text("indent=2"), lines);
    assert_eq!(text("2"), lines);
    assert_eq!(text("indent='\\t'"), lines.replace("  ", "\t"));
    assert_eq!(text("indent=2, separators=(', ', '=')"), lines.replace(": ", "=").replace(",\n", ", \n"));
    assert_eq!(text("indent=none, sort_keys=false"), plain);
    for wrong in ["separators=(',',)", "indent=-1", "indent=[1]", "unknown=1"] {
        assert!(render(wrong).is_err(), "{wrong}");
    }
    let unsorted =
        ChatTemplate::new("{{ {'b': 1, 'a': [{'d': 2, 'c': 3}]}|tojson(sort_keys=true) }}", Map::new());
    let unsorted = unsorted.unwrap().render::<Value, _>(&[], false, &Map::new()).unwrap();
    assert_eq!(unsorted, "{\"a\": [{\"c\": 3, \"d\": 2}], \"b\": 1}");
}

#[test]
fn a_template_refuses_in_its_own_words_and_cannot_run_for_ever() {
    let render =
        |source: &str| ChatTemplate::new(source, Map::new())?.render::<Value, _>(&[], false, &Map::new());
    let error = render("{{ raise_exception('roles must alternate') }}").unwrap_err();
    assert!(error.to_string().contains("roles must alternate"), "{error}");
    assert!(matches!(render("{% if %}"), Err(ChatTemplateError::Syntax(_))));
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}\
                   {% endfor %}{% endfor %}";
    assert!(matches!(render(endless), Err(ChatTemplateError::Render(_))));
    let date = render("{{ strftime_now('%d %b %Y') }}").unwrap();
    assert_eq!(date.split(' ').count(), 3, "{date}");
}

#[test]
fn bytes_are_tokens_and_back() {
    let tokenizer = Tokenizer::of_bytes();
    assert_eq!((tokenizer.vocab_size(), tokenizer.kind()), (256, "bytes"));
    let ids = tokenizer.encode("né", true).unwrap();
    assert_eq!(ids, [110, 195, 169]);
    let mut stream = tokenizer.detokenizer(true);
    assert_eq!(ids.iter().map(|id| stream.push(*id).unwrap()).collect::<Vec<_>>(), ["n", "", "é"]);
    assert_eq!(stream.finish(), "");
    assert_eq!(tokenizer.decode(&[0xE2, 0x82], false).unwrap(), "\u{FFFD}");
    assert_eq!(tokenizer.decode(&[0xE2, 0x28], false).unwrap(), "\u{FFFD}(");
    assert_eq!(tokenizer.decode(&[256], false), Err(TokenizerError::Token { token: 256, vocab: 256 }));
}

/// A tokenizer whose decoder looks at neighbours.
fn wordpiece() -> Tokenizer {
    let json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": false },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": { "[UNK]": 0, "whale": 1, "##s": 2, "the": 3 },
        },
    });
    Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn other_decoders_stream_too() {
    let tokenizer = wordpiece();
    let ids = tokenizer.encode("the whales", false).unwrap();
    assert_eq!((ids.as_slice(), tokenizer.bytes(1)), ([3, 1, 2].as_slice(), None));
    let mut stream = tokenizer.detokenizer(false);
    assert_eq!(ids.iter().map(|id| stream.push(*id).unwrap()).collect::<Vec<_>>(), ["the", " whale", "s"]);
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), "the whales");
}

#[test]
fn a_folder_gives_tokenizer_template_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    assert!(matches!(Tokenizer::from_folder(folder.path()), Err(TokenizerError::Missing(_))));
    write("tokenizer.json", &wordpiece().to_json().unwrap().unwrap());
    let config = json!({
        "eos_token": { "content": "whale", "special": true }, "bos_token": "the",
        "chat_template": [{ "name": "tool_use", "template": "no" }, { "name": "default", "template": "{{ eos_token }}" }],
    });
    write("tokenizer_config.json", &config.to_string());
    write("config.json", &json!({ "eos_token_id": 2 }).to_string());
    let open = || Tokenizer::from_folder(folder.path()).unwrap();
    let render = |tokenizer: &Tokenizer| {
        tokenizer.chat_template().unwrap().render::<Value, _>(&[], false, &Map::new()).unwrap()
    };
    assert_eq!(render(&open()), "whale");
    assert_eq!(open().end_tokens(), [1, 2]);
    write("generation_config.json", &json!({ "eos_token_id": [3, 0] }).to_string());
    assert_eq!(open().end_tokens(), [0, 1, 3]);
    write("chat_template.jinja", "file {{ bos_token }}");
    assert_eq!(render(&open()), "file the");
    write("tokenizer.json", "{}");
    assert!(matches!(Tokenizer::from_folder(folder.path()), Err(TokenizerError::Invalid(_))));
}

mod hostile;
