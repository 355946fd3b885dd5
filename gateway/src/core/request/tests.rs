//! What is understood and what is refused, with the parameter that is to blame.

use serde_json::{Value, json};

use super::*;

fn limits() -> Limits {
    Limits { model: "m".to_owned(), max_prompt_bytes: 100, max_tokens: 500, max_choices: 4 }
}

fn parse(kind: Kind, mut body: Value) -> Result<Query, Refusal> {
    let map = body.as_object_mut().unwrap();
    map.entry("model").or_insert_with(|| json!("m"));
    let (name, default) = match kind {
        Kind::Completion => ("prompt", json!("p")),
        Kind::Chat => ("messages", json!([{"role": "user", "content": "p"}])),
    };
    map.entry(name).or_insert(default);
    Query::parse(kind, body.to_string().as_bytes(), &limits())
}

#[test]
fn prompts_come_in_four_shapes() {
    let prompts = |prompt| parse(Kind::Completion, json!({ "prompt": prompt })).map(|query| query.prompts);
    let two = vec![b"ab".to_vec(), b"c".to_vec()];
    assert_eq!(prompts(json!("ab")).unwrap(), two[..1]);
    assert_eq!(prompts(json!(["ab", "c"])).unwrap(), two);
    assert_eq!(prompts(json!([97, 98])).unwrap(), two[..1]);
    assert_eq!(prompts(json!([[97, 98], [99]])).unwrap(), two);
    for wrong in [json!([]), json!([256]), json!([-1]), json!([97, "b"]), json!({}), json!([null])] {
        assert_eq!(prompts(wrong.clone()).unwrap_err().param.as_deref(), Some("prompt"), "{wrong}");
    }
}

#[test]
fn messages_become_one_prompt() {
    let messages = json!([
        {"role": "developer", "content": "Be terse."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "x"},
        {"role": "assistant", "content": "c", "refusal": null, "tool_calls": []},
        {"role": "user", "content": "d"},
    ]);
    let query = parse(Kind::Chat, json!({ "messages": messages })).unwrap();
    assert_eq!(query.prompts, [b"System: Be terse.\nUser: ab\nAssistant: c\nUser: d\nAssistant:".to_vec()]);
    assert_eq!(query.stops, [b"\nUser:".to_vec()]);
    assert_eq!(query.prompt_tokens(), query.prompts[0].len());
}

#[test]
fn messages_that_are_no_text_are_refused() {
    let param =
        |message: Value| parse(Kind::Chat, json!({ "messages": [message] })).unwrap_err().param.unwrap();
    assert_eq!(param(json!({"role": "tool", "content": "x"})), "messages[0].role");
    assert_eq!(param(json!({"role": "user"})), "messages[0].content");
    assert_eq!(param(json!({"role": "user", "content": [{"type": "image_url"}]})), "messages[0].content");
    assert_eq!(
        param(json!({"role": "assistant", "content": "", "tool_calls": [{}]})),
        "messages[0].tool_calls"
    );
    assert_eq!(parse(Kind::Chat, json!({"messages": []})).unwrap_err().param.as_deref(), Some("messages"));
}

#[test]
fn parameters_are_read() {
    let body = json!({
        "max_completion_tokens": 7, "temperature": 0, "top_p": 0.5, "n": 2, "stop": ["a", "b"], "stream": true,
        "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 3, "seed": -1, "user": "u",
        "presence_penalty": 0.5, "frequency_penalty": -1, "logit_bias": {"10": -100}, "tools": null, "response_format": {"type": "text"},
    });
    let query = parse(Kind::Chat, body).unwrap();
    assert_eq!((query.max_tokens, query.n, query.logprobs), (7, 2, Some(3)));
    assert_eq!((query.sampling.temperature, query.sampling.top_p), (0.0, 0.5));
    assert_eq!((query.seed, query.stream, query.include_usage), (Some(u64::MAX), true, true));
    assert_eq!(query.stops.len(), 3);
    let wanted = Steering { presence: 0.5, frequency: -1.0, bias: BTreeMap::from([(b'\n', -100.0)]) };
    assert_eq!(query.steering, wanted);
    assert_eq!(parse(Kind::Completion, json!({"n": 2, "best_of": 2})).unwrap().n, 2);
    let echo = parse(Kind::Completion, json!({"echo": true, "max_tokens": 0, "logprobs": 0})).unwrap();
    assert_eq!((echo.echo, echo.max_tokens, echo.logprobs), (true, 0, Some(0)));
}

#[test]
fn each_wrong_parameter_is_named_with_a_code() {
    let cases = [
        (Kind::Chat, json!({"max_tokens": 0}), "max_tokens", "integer_below_min_value"),
        (Kind::Completion, json!({"max_tokens": 0}), "max_tokens", "integer_below_min_value"),
        (Kind::Completion, json!({"max_tokens": 501}), "max_tokens", "integer_above_max_value"),
        (Kind::Completion, json!({"max_tokens": 1.5}), "max_tokens", "invalid_type"),
        (
            Kind::Chat,
            json!({"max_tokens": 1, "max_completion_tokens": 2}),
            "max_completion_tokens",
            "invalid_value",
        ),
        (Kind::Chat, json!({"temperature": 2.1}), "temperature", "decimal_above_max_value"),
        (Kind::Chat, json!({"temperature": -0.1}), "temperature", "decimal_below_min_value"),
        (Kind::Chat, json!({"temperature": "hot"}), "temperature", "invalid_type"),
        (Kind::Chat, json!({"top_p": 1.1}), "top_p", "decimal_above_max_value"),
        (Kind::Chat, json!({"n": 0}), "n", "integer_below_min_value"),
        (Kind::Chat, json!({"n": 5}), "n", "integer_above_max_value"),
        (Kind::Completion, json!({"n": 3, "prompt": ["a", "b"]}), "n", "too_many_choices"),
        (Kind::Completion, json!({"prompt": "x".repeat(101)}), "prompt", "context_length_exceeded"),
        (Kind::Chat, json!({"stop": ["a", "b", "c", "d", "e"]}), "stop", "invalid_value"),
        (Kind::Chat, json!({"stop": ""}), "stop", "invalid_value"),
        (Kind::Chat, json!({"stream_options": {"include_usage": true}}), "stream_options", "invalid_value"),
        (Kind::Chat, json!({"top_logprobs": 2}), "top_logprobs", "invalid_value"),
        (
            Kind::Chat,
            json!({"logprobs": true, "top_logprobs": 21}),
            "top_logprobs",
            "integer_above_max_value",
        ),
        (Kind::Chat, json!({"logprobs": 2}), "logprobs", "invalid_type"),
        (Kind::Completion, json!({"logprobs": true}), "logprobs", "invalid_type"),
        (Kind::Chat, json!({"presence_penalty": 2.5}), "presence_penalty", "decimal_above_max_value"),
        (Kind::Chat, json!({"frequency_penalty": "x"}), "frequency_penalty", "invalid_type"),
        (Kind::Chat, json!({"logit_bias": {"256": 1}}), "logit_bias", "invalid_value"),
        (Kind::Completion, json!({"logit_bias": {"1": 101}}), "logit_bias", "invalid_value"),
        (Kind::Completion, json!({"logit_bias": [1]}), "logit_bias", "invalid_value"),
        (Kind::Completion, json!({"n": 2, "best_of": 3}), "best_of", "unsupported_parameter"),
        (Kind::Chat, json!({"best_of": 1}), "best_of", "unrecognized_argument"),
        (Kind::Chat, json!({"tools": [{}]}), "tools", "unsupported_parameter"),
        (
            Kind::Chat,
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
            "unsupported_parameter",
        ),
        (Kind::Chat, json!({"echo": true}), "echo", "unrecognized_argument"),
        (Kind::Chat, json!({"temprature": 1}), "temprature", "unrecognized_argument"),
        (Kind::Chat, json!({"model": "gpt-9"}), "model", "model_not_found"),
        (Kind::Chat, json!({"model": null}), "model", "missing_required_parameter"),
    ];
    for (kind, body, param, code) in cases {
        let refusal = parse(kind, body.clone()).unwrap_err();
        assert_eq!((refusal.param.as_deref(), refusal.code), (Some(param), code), "{body}: {refusal}");
    }
    assert_eq!(Query::parse(Kind::Chat, b"{", &limits()).unwrap_err().code, "invalid_json");
    assert_eq!(Query::parse(Kind::Chat, b"[]", &limits()).unwrap_err().code, "invalid_json");
}
