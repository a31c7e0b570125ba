import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("The head of an audit", .timeLimit(.minutes(15)), .inTurn)
struct AuditHeadTests {
  private let head = AuditHead(
    store: UniqueID(high: 0x019C_8A5E_7B1C_7D2E, low: 0x8F3A_0123_4567_89AB),
    at: Timestamp(milliseconds: 1_772_352_000_000),
    shards: [
      .init(shard: 0, position: 12, chain: [UInt8](repeating: 0xAB, count: 32), unchained: 3),
      .init(shard: 1, position: 0, chain: EventChain.start, unchained: 0),
    ])

  @Test("A signed head has exactly these bytes in every version")
  func signedBytes() {
    let lines = [
      "tracseq audit head 1", "store 019c8a5e-7b1c-7d2e-8f3a-0123456789ab", "at 1772352000000", "shards 2",
      "0 12 3 " + String(repeating: "ab", count: 32), "1 0 0 " + String(repeating: "00", count: 32), "",
    ]
    #expect(String(decoding: head.signedBytes, as: UTF8.self) == lines.joined(separator: "\n"))
  }

  @Test("A head is read from JSON unchanged; with one bit flipped it is refused or reads the same")
  func bitFlips() throws {
    let key = try #require(SigningKey.generate())
    let signed = try #require(head.signed(with: key))
    let bytes = signed.json.bytes()
    #expect(try AuditHead(parsing: bytes) == signed)
    var refused = 0
    for index in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[index] ^= 1 << UInt8(bit)
        do {
          let read = try AuditHead(parsing: changed)
          try read.verify(with: key.publicKey)
          #expect(read == signed, "bit \(bit) of byte \(index)")
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > bytes.count * 7)
  }

  @Test("A head is refused when it is unsigned, signed with another key, or changed")
  func refusals() throws {
    let key = try #require(SigningKey.generate())
    let other = try #require(SigningKey.generate())
    func code(_ head: AuditHead, _ key: VerifyingKey) -> String? {
      do throws(AuditError) {
        try head.verify(with: key)
        return nil
      } catch { return error.code }
    }
    #expect(code(head, key.publicKey) == AuditErrorCode.headUnsigned)
    let signed = try #require(head.signed(with: key))
    #expect(code(signed, key.publicKey) == nil)
    #expect(code(signed, other.publicKey) == AuditErrorCode.otherKey)
    var forged = AuditHead(store: head.store, at: head.at + .seconds(1), shards: head.shards)
    forged.signature = signed.signature
    #expect(code(forged, key.publicKey) == AuditErrorCode.signatureWrong)
    // Signed by another, under the name of the first.
    forged = try #require(head.signed(with: other))
    forged.signature = .init(key: key.publicKey.id, bytes: forged.signature?.bytes ?? [])
    #expect(code(forged, key.publicKey) == AuditErrorCode.signatureWrong)
  }

  @Test("Keys are read from PEM, and text that is not a key is refused")
  func keys() throws {
    let key = try #require(SigningKey.generate())
    let again = try #require(SigningKey(pem: key.pem ?? []))
    let publicKey = try #require(VerifyingKey(pem: key.publicKey.pem ?? []))
    let bytes = Array("what is signed".utf8)
    let signature = try #require(again.sign(bytes))
    #expect(publicKey.verifies(signature, of: bytes))
    #expect(!publicKey.verifies(signature, of: bytes + [0]))
    #expect(publicKey.id == key.publicKey.id)
    #expect(publicKey.id.count == 16)
    for text in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
      #expect(SigningKey(pem: Array(text.utf8)) == nil)
      #expect(VerifyingKey(pem: Array(text.utf8)) == nil)
    }
    // A public key is not a private key.
    #expect(SigningKey(pem: key.publicKey.pem ?? []) == nil)
  }

  @Test("A head of another store is refused")
  func otherStore() async throws {
    try await withStore(.memory, shardCount: 2) { store, _ in
      await #expect(throws: AuditError.self) { _ = try await store.audit(against: head) }
    }
  }
}
