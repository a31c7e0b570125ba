import HTTP
import JSON
import TestSupport
import Testing

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The words of a participant that refuses", .timeLimit(.minutes(15)), .inTurn)
struct ParticipantWordsTests {
  static func words(_ body: String, _ type: String? = "application/json", reason: String = "Conflict") -> String? {
    words(
      HTTPClientResponse(
        status: 409, headers: type.map { ["Content-Type": $0] } ?? [:], body: Array(body.utf8), reason: reason))
  }

  static func words(_ response: HTTPClientResponse) -> String? {
    ParticipantWords.of(HTTPAnswer(response, from: Service(name: "lab", baseURL: "http://127.0.0.1:1")))
  }

  static let full = "Freezer F2 is full"

  @Test(
    "The words are found in every usual shape of body",
    arguments: [
      (
        #"{"type":"about:blank","title":"Conflict","status":409,"detail":"Freezer F2 is full"}"#,
        "application/problem+json"
      ),
      (#"{"title":"Freezer F2 is full","status":409,"detail":""}"#, "application/problem+json"),
      (#"{"error":"Freezer F2 is full"}"#, "application/json"), (#"{"error":"Freezer F2 is full"}"#, "text/plain"),
      (#"{"error":"Freezer F2 is full"}"#, nil), ("\u{FEFF}{\"error\":\"Freezer F2 is full\"}", "application/json"),
      (#"{"error":{"code":"FULL","message":"Freezer F2 is full"}}"#, "application/json"),
      (#"{"error":{"code":"","message":{"lang":"en-US","value":"Freezer F2 is full"}}}"#, "application/json"),
      (#"{"errors":["Freezer F2 is full"]}"#, "application/json"),
      (#"{"errors":[{"status":"409","title":"Full","detail":"Freezer F2 is full"}]}"#, "application/vnd.api+json"),
      (
        #"{"data":null,"errors":[{"message":"Freezer F2 is full","locations":[{"line":1}],"path":["store"]}]}"#,
        "application/json"
      ),
      (#"{"message":"Freezer F2 is full"}"#, "application/json"),
      (#"{"Message":"Freezer F2 is full"}"#, "application/json"),
      (#"{"msg":"Freezer F2 is full","status_code":409}"#, "application/json"),
      (#"{"error":"conflict","reason":"Freezer F2 is full"}"#, "application/json"),
      (#"{"code":7,"description":"Freezer F2 is full"}"#, "application/json"),
      (#"{"error":"invalid_request","error_description":"Freezer F2 is full"}"#, "application/json"),
      (#"{"fault":{"faultstring":"Freezer F2 is full","detail":{"errorcode":"steps.full"}}}"#, "application/json"),
      (#"{"status":"Freezer F2 is full"}"#, "application/json"), (#""Freezer F2 is full""#, "application/json"),
      (#"["Freezer F2 is full"]"#, "application/json"),
      (#"[{"errorMessage":"Freezer F2 is full"}]"#, "application/json"),
      (#"{"code":9,"message":"Freezer F2 is full","details":[{"@type":"x"}]}"#, "application/json"),
      (
        #"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"conflict","diagnostics":"Freezer F2 is full"}]}"#,
        "application/fhir+json"
      ),
      (
        #"{"resourceType":"OperationOutcome","issue":[{"severity":"error","details":{"text":"Freezer F2 is full"}}]}"#,
        "application/fhir+json"
      ),
      (
        #"{"timestamp":"2026-03-01T08:00:00Z","status":409,"error":"Conflict","message":"Freezer F2 is full","path":"/x"}"#,
        "application/json"
      ),
      (#"{"detail":[{"loc":["body","freezer"],"msg":"Freezer F2 is full","type":"value_error"}]}"#, "application/json"),
      (
        #"{"title":"One or more validation errors occurred.","errors":{"Freezer":["Freezer F2 is full"]}}"#,
        "application/problem+json"
      ),
      (#"{"status":"fail","data":{"freezer":"Freezer F2 is full"}}"#, "application/json"),
      (
        #"{"error":{"root_cause":[{"type":"x","reason":"y"}],"type":"x","reason":"Freezer F2 is full"},"status":409}"#,
        "application/json"
      ),
      (#"{"result":{"errors":[{"info":"Freezer F2 is full"}]}}"#, "application/json"),
      (#"{"error":true,"userMessage":"Freezer F2 is full"}"#, "application/json"),
      (#"{"error":"Freezer F2 is full","details":{"freezer":"F2"}}"#, "application/json"),
      ("Freezer F2 is full", "text/plain"), ("Freezer F2 is full", nil), ("Freezer F2 is full\n", "application/json"),
      (
        "<html><head><title>Conflict</title><style>b{}</style></head><body><h1>Freezer F2 is full</h1></body></html>",
        "text/html"
      ),
      ("<!DOCTYPE html><p>Freezer&nbsp;F2 is <b>full</b><script>var a = \"<b>\"</script>", nil),
      (
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>Freezer F2 is full</faultstring></s:Fault></s:Body></s:Envelope>",
        "text/xml"
      ),
      (
        "<e:Envelope><e:Fault><e:Code><e:Value>x</e:Value></e:Code><e:Reason><e:Text xml:lang=\"en\">Freezer F2 is full</e:Text></e:Reason></e:Fault></e:Envelope>",
        "application/soap+xml"
      ),
      ("<Error><Code>Full</Code><Message><![CDATA[Freezer F2 is full]]></Message></Error>", "application/xml"),
      (
        "<OperationOutcome><issue><diagnostics value=\"Freezer F2 is full\"/></issue></OperationOutcome>",
        "application/fhir+xml"
      ),
      ("error=conflict&error_description=Freezer+F2%20is+full", "application/x-www-form-urlencoded"),
    ] as [(String, String?)])
  func shapes(body: String, type: String?) {
    #expect(Self.words(body, type)?.contains(Self.full) == true, "\(Self.words(body, type) ?? "nothing")")
  }

  @Test("A body of unknown shape is shown as it is")
  func unknown() {
    #expect(Self.words(#"{"freezer":"F2","free":0}"#) == #"{"freezer":"F2","free":0}"#)
    #expect(Self.words(#"{"a":"#) == #"{"a":"#)
    #expect(Self.words("<freezer>F2</freezer>", "application/xml") == "F2")
  }

  @Test("A body without words gives none")
  func none() {
    for body in ["", " \n", "{}", "[]", "null", "\"\"", "\u{FEFF}"] { #expect(Self.words(body) == nil, "\(body)") }
    #expect(Self.words("", nil, reason: "Freezer F2 is full") == Self.full)
    #expect(Self.words("", nil, reason: "CONFLICT") == nil)
  }

  @Test("The words name the invalid field")
  func fields() {
    #expect(
      Self.words(
        #"{"detail":[{"loc":["body","volume"],"msg":"field required"},{"loc":["body","id"],"msg":"too long"}]}"#)
        == "body.volume: field required; body.id: too long")
    #expect(
      Self.words(#"{"title":"Invalid.","errors":{"Barcode":["Is needed.","Is short."],"Id":["Is wrong."]}}"#)
        == "Invalid. Barcode: Is needed.; Is short.; Id: Is wrong.")
  }

  @Test("The words are one line of at most 500 characters, without deceptive characters")
  func cleaned() {
    #expect(Self.words("Freezer\r\n\tF2\u{7}is\u{85}full", "text/plain") == Self.full)
    #expect(Self.words("ab\u{202E}cd\u{200B}", "text/plain") == "abcd")
    let long = Self.words(String(repeating: "é", count: 100_000), "text/plain") ?? ""
    #expect(long.unicodeScalars.count == ParticipantWords.longest)
    let letters = String(repeating: "a\u{301}\u{302}", count: 1_000)
    #expect(Self.words(letters, "text/plain")?.unicodeScalars.count == ParticipantWords.longest)
  }

  @Test("Other encodings are read, and a body that is not text is named by its type")
  func encodings() {
    func words(_ bytes: [UInt8], _ type: String?) -> String? {
      Self.words(
        HTTPClientResponse(status: 409, headers: type.map { ["Content-Type": $0] } ?? [:], body: bytes))
    }
    let latin1: [UInt8] = Array("K".utf8) + [0xFC] + Array("hlschrank ist voll".utf8)
    for type in ["text/plain; charset=iso-8859-1", "text/plain", nil] {
      #expect(words(latin1, type) == "Kühlschrank ist voll")
    }
    let utf16: [UInt8] = [0xFE, 0xFF] + "Kühlschrank".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    #expect(words(utf16, "text/plain") == "Kühlschrank")
    #expect(words([0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 13], "image/png") == "8 bytes of image/png that are not text")
    // Cut within a character.
    #expect(words(Array("Kü".utf8.dropLast()), "text/plain") == "K")
  }

  @Test("Reading a deep or broken document ends")
  func hostile() {
    let deep = String(repeating: "{\"error\":", count: 60) + "\"x\"" + String(repeating: "}", count: 60)
    #expect(Self.words(deep)?.isEmpty == false)
    for body in [
      "<", "<html", "<html><", "<a><b></a></b>", "<![CDATA[", "<html><!--", "<html>&#x110000;&#;&x;&", "<script>",
    ] {
      #expect(Self.words(body, "text/html") != "")
      #expect(Self.words(body, "text/xml") != "")
    }
    // Each level can be looked at from several sides; the search ends all the same.
    var wide = JSON.object(JSONObject((0..<5_000).map { ("m\($0)", JSON.int($0)) }))
    for _ in 0..<8 { wide = ["errors": wide, "details": wide, "error": wide] }
    #expect(ParticipantWords.of(wide) == nil)
    #expect(Self.words("<html>" + String(repeating: "<b>x", count: 50_000), "text/html")?.isEmpty == false)
  }
}
