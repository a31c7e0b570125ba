import TestSupport
import Testing

@testable import Values

@Suite("Sealed texts", .timeLimit(.minutes(15)), .inTurn)
struct SealedTextTests {
  @Test(
    "Each one is masked, wherever it is in a text",
    arguments: [
      ("", ""), ("sealed", "sealed"), ("sealed:1", "sealed:1"), ("sealed:1:", "•••"), ("sealed:1:Ab_-9", "•••"),
      (#"{"name":"sealed:1:abc","n":1}"#, #"{"name":"•••","n":1}"#),
      ("sealed:1:a, sealed:1:b.", "•••, •••."), ("ssealed:1:a", "s•••"), ("é sealed:1:aé", "é •••é"),
      ("sealed:2:abc", "sealed:2:abc"),
    ])
  func masks(text: String, masked: String) { #expect(SealedText.masked(text: text) == masked) }

  @Test("The bytes of a text come back")
  func content() {
    for count in 0..<50 {
      let bytes = (0..<count).map { UInt8($0 * 5) }
      let text = SealedText.text(of: bytes)
      #expect(SealedText.isOne(text) && SealedText.content(of: text) == bytes)
      #expect(SealedText.all(in: Array("x\(text)\"\(text)".utf8)) == [text, text])
    }
    #expect(SealedText.content(of: "sealed:1:é") == nil && SealedText.content(of: "x") == nil)
  }
}
