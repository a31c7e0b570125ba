import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Secrets in calls", .timeLimit(.minutes(15)), .inTurn)
struct SecretsTests {
  @Test(
    "The name of a value says whether it is secret, whatever its case and its signs",
    arguments: [
      ("password", true), ("userPassword", true), ("API_KEY", true), ("X-Api-Key", true), ("apiKey", true),
      ("Authorization", true), ("Proxy-Authorization", true), ("Set-Cookie", true), ("access_token", true),
      ("clientSecret", true), ("X-Amz-Signature", true), ("auth", true), ("pwd", true), ("sig", true),
      ("Idempotency-Key", false), ("key", false), ("author", false), ("barcode", false), ("design", false),
      ("pinned", false), ("", false),
    ])
  func names(name: String, isSecret: Bool) { #expect(Secrets.isSecret(name) == isSecret) }

  @Test("A secret member is masked at every depth, whatever it holds; null stays null")
  func members() {
    let body: JSON = [
      "barcode": "T-1", "password": "s3cret", "token": .null,
      "users": [["name": "mia", "apiKey": ["a": 1]], ["name": "ben", "pin": 4_711]],
    ]
    #expect(
      Secrets.masked(body) == [
        "barcode": "T-1", "password": "***", "token": .null,
        "users": [["name": "mia", "apiKey": "***"], ["name": "ben", "pin": "***"]],
      ])
  }

  @Test(
    "A secret in a text is masked",
    arguments: [
      ("user=mia&password=s3cret&x=1", "user=mia&password=***&x=1"),
      ("https://mia:s3cret@lab.example/runs?token=abc&n=1", "https://***@lab.example/runs?token=***&n=1"),
      (#"{"barcode":"T-1","apiKey":"a\"b","n":1"#, #"{"barcode":"T-1","apiKey":"***","n":1"#),
      (#"{"secret": 12, "n": 1"#, #"{"secret": ***, "n": 1"#),
      (#"{"tokens":["a","b"],"n":1"#, #"{"tokens":***"#),
      (#"the body was {\"password\":\"abc\",\"n\":1}"#, #"the body was {\"password\":\"***\",\"n\":1}"#),
      ("Authorization: Bearer abc.def\nX: 1", "Authorization: ***\nX: 1"),
      ("<user>mia</user><ns:password>abc</ns:password>", "<user>mia</user><ns:password>***</ns:password>"),
      (#""password":"","user":"mia""#, #""password":"","user":"mia""#),
      ("the token is missing", "the token is missing"), ("password:", "password:"), ("", ""),
      ("mail to mia@lab.example", "mail to mia@lab.example"),
    ])
  func texts(text: String, shown: String) { #expect(Secrets.masked(text: text) == shown) }

  @Test("A long text without an end of its quotes is masked to its end, in one pass")
  func long() {
    let text = "\"password\":\"" + String(repeating: "\\\"", count: 20_000)
    #expect(Secrets.masked(text: text) == "\"password\":\"***")
    let names = String(repeating: "token ", count: 20_000)
    #expect(Secrets.masked(text: names) == names)
  }
}
