import Runtime
import TestSupport
import Testing
import Values

@Suite("Keys that seal", .timeLimit(.minutes(15)), .inTurn)
struct SealingKeyTests {
  private static func bytes(_ hexadecimal: String) throws -> [UInt8] {
    try #require(Digest.bytes(hexadecimal: hexadecimal))
  }

  /// Test case 16 of the specification of GCM that NIST published (McGrew and Viega, “The Galois/Counter Mode of
  /// Operation”), with a key of 256 bits, a nonce of 96 bits and additional data.
  @Test("A known vector comes out, and opens again")
  func vector() throws {
    let key = try #require(
      SealingKey(try Self.bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")))
    let nonce = try Self.bytes("cafebabefacedbaddecaf888")
    let context = try Self.bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    let text = try Self.bytes(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    let sealed = try #require(key.seal(text, nonce: nonce, context: context))
    #expect(
      Digest.hexadecimal(Array(sealed.dropFirst(12)))
        == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b")
    #expect(key.open(sealed, context: context) == text)
  }

  @Test("Nothing opens with another key or context, and nothing that was changed")
  func refused() throws {
    let key = SealingKey.new(.system)
    let nonce = Environment.system.randomBytes(12)
    let sealed = try #require(key.seal(Array("Nora".utf8), nonce: nonce, context: [1]))
    #expect(key.open(sealed, context: [1]) == Array("Nora".utf8))
    #expect(key.open(sealed, context: [2]) == nil)
    #expect(SealingKey.new(.system).open(sealed, context: [1]) == nil)
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      #expect(key.open(changed, context: [1]) == nil, "byte \(index)")
    }
    for length in 0..<sealed.count { #expect(key.open(Array(sealed.prefix(length)), context: [1]) == nil) }
    #expect(try #require(key.seal([], nonce: nonce, context: [])).count == 28)
    #expect(key.seal([1], nonce: [1], context: []) == nil)
    #expect(SealingKey([1, 2]) == nil)
    #expect(!"\(key)\(String(reflecting: key))".contains(Digest.hexadecimal(key.bytes)))
  }
}
