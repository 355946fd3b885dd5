//! Spoiled tokenizers: an error that says what is wrong, never a panic.

use super::*;

/// Whole words, with whatever replaces a part of the description.
fn described(changes: Value) -> Result<Tokenizer, TokenizerError> {
    let mut json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "unk_token": "[UNK]", "vocab": { "[UNK]": 0, "whale": 1 } },
    });
    json.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Tokenizer::from_json(json.to_string().as_bytes())
}

/// A normalizer of SentencePiece with this table: the length of a trie, the trie, then texts.
fn charsmap(trie: &[u32], length: u32, texts: &[u8]) -> Result<Tokenizer, TokenizerError> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(texts);
    described(json!({ "normalizer": { "type": "Precompiled", "precompiled_charsmap": base64(&bytes) } }))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|three| {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(*three.get(at).unwrap_or(&0)));
        (0..4).map(move |at| {
            if at > three.len() { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]) }
        })
    });
    digits.collect()
}

#[track_caller]
fn refused(tokenizer: Result<Tokenizer, TokenizerError>) -> String {
    match tokenizer {
        Err(error @ TokenizerError::Invalid(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_that_overlap_are_a_syntax_error() {
    for source in ["{%}", "{%-%}", "{%", "{%%}", "{%}%}", "a{%é}%}", "{% generation", "{%--%}"] {
        let template = ChatTemplate::new(source, Map::new());
        assert!(matches!(template, Err(ChatTemplateError::Syntax(_))), "{source}: {template:?}");
    }
}

#[test]
fn a_template_of_an_absent_token_is_refused_when_loaded() {
    let token = json!([{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    let processor =
        json!({ "type": "TemplateProcessing", "single": token, "pair": token, "special_tokens": {} });
    let said = refused(described(json!({ "post_processor": processor })));
    assert!(said.contains("damaged"), "{said}");
}

#[test]
fn broken_tables_of_characters_are_refused_when_loaded() {
    assert!(described(json!({})).is_ok());
    // The trie is longer than the table; there is none; a branch leaves it; a leaf points past the texts.
    for (trie, length, texts) in [
        (&[0u32][..], 400, &b""[..]),
        (&[], 0, b""),
        (&[(1 << 20) << 10], 4, b"x\0"),
        (&[0x100 << 10 | 1 << 8; 1], u32::MAX, b""),
    ] {
        refused(charsmap(trie, length, texts));
    }
    let bad = json!({ "normalizer": { "type": "Precompiled", "precompiled_charsmap": "AA=" } });
    refused(described(bad));
    let none = json!({ "normalizer": { "type": "Precompiled" } });
    refused(described(none));
}

#[test]
fn a_panic_inside_a_request_is_that_requests_error() {
    // The root goes on to the letter q only, to a unit whose leaf lies outside: no other text meets it.
    let mut trie = vec![0u32; 256];
    trie[0] = 0;
    trie[usize::from(b'q')] = u32::from(b'q') | 1 << 8 | (1 << 20) << 10;
    match charsmap(&trie, 1024, b"x\0") {
        Err(error) => assert!(matches!(error, TokenizerError::Invalid(_)), "{error}"),
        Ok(tokenizer) => {
            assert!(tokenizer.encode("whale", true).is_ok());
            assert!(matches!(tokenizer.encode("q", true), Err(TokenizerError::Invalid(_))));
        }
    }
}

#[cfg(feature = "libtorch")]
mod of_gguf {
    use super::*;
    use crate::gguf::testing::Writer;

    /// A SentencePiece vocabulary of these tokens.
    fn pieces(tokens: &[String]) -> Writer {
        let scores: Vec<_> = (0..tokens.len()).map(|at| (-(at as f32)).to_le_bytes().to_vec()).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(String::as_bytes).collect();
        Writer::default()
            .text("general.architecture", "llama")
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", &tokens)
            .array("tokenizer.ggml.scores", 6, &scores)
    }

    fn read(tokens: &[String]) -> Result<Tokenizer, TokenizerError> {
        Tokenizer::from_gguf(&pieces(tokens).open().unwrap())
    }

    #[test]
    fn a_token_of_a_whole_book_is_refused_by_its_id() {
        let tokens = |bytes: usize| ["a".to_owned(), "b".into(), "ab".repeat(bytes / 2)];
        let said = refused(read(&tokens(200_000)));
        assert!(said.contains("token 2") && said.contains("200000"), "{said}");
        assert!(read(&tokens(1024)).is_ok());
    }

    #[test]
    fn a_vocabulary_that_implies_merges_without_end_is_refused() {
        // Of each length up to 1,000 one token of each of 26 letters: 13 million merges of half a kilobyte.
        let letters = |letter: char| (1..=1000).map(move |count| letter.to_string().repeat(count));
        let said = refused(read(&('a'..='z').flat_map(letters).collect::<Vec<_>>()));
        assert!(said.contains("merges"), "{said}");
        assert!(read(&letters('a').take(200).collect::<Vec<_>>()).is_ok());
    }

    #[test]
    fn ids_that_only_the_network_has_stand_for_no_text() {
        let tokens: Vec<String> = ["<unk>", "a", "b"].map(str::to_owned).into();
        let file = pieces(&tokens).floats("token_embd.weight", &[5, 1], &[0.0; 5]);
        let tokenizer = Tokenizer::from_gguf(&file.open().unwrap()).unwrap();
        assert_eq!(tokenizer.vocab_size(), 3);
        assert_eq!(tokenizer.decode(&[1, 4, 2, 3], true).unwrap(), "ab");
        assert_eq!(tokenizer.decode(&[1, 5], true), Err(TokenizerError::Token { token: 5, vocab: 5 }));
    }
}

#[test]
fn ids_that_only_the_network_of_a_folder_has_stand_for_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    for described in [wordpiece(), described(json!({})).unwrap()] {
        write("tokenizer.json", described.to_json().unwrap().unwrap());
        write("config.json", json!({ "vocab_size": 9 }).to_string());
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        assert_eq!(tokenizer.vocab_size(), described.vocab_size());
        assert_eq!(tokenizer.decode(&[1, 8, 1], true), described.decode(&[1, 1], true));
        assert_eq!(tokenizer.decode(&[9], true), Err(TokenizerError::Token { token: 9, vocab: 9 }));
        write("config.json", json!({ "vocab_size": 1 }).to_string());
        assert!(Tokenizer::from_folder(folder.path()).unwrap().decode(&[1], true).is_ok());
    }
}
