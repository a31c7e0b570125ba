import Foundation
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Server

/// Tokens and keys that others made: the examples of the RFCs, and `tokens.json`, which Python's cryptography signed.
@Suite("Signatures of tokens", .timeLimit(.minutes(15)), .inTurn)
struct TokenVectorTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let source: String
    let key: JSON
    let token: String
    var testDescription: String { source }
  }

  static let examples = [
    Example(
      source: "RFC 7515 A.2",
      key: [
        "kty": "RSA", "e": "AQAB",
        "n": .string(
          "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
            + "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UT"
            + "o7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF"
            + "kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"),
      ],
      token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
        + "Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG"
        + "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eS"
        + "N9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWk"
        + "WywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
    Example(
      source: "RFC 7515 A.3",
      key: [
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
      ],
      token: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
        + "Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
    Example(
      source: "RFC 8037 A.4",
      key: ["kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"],
      token:
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijc"
        + "NR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
  ]

  @Test("The examples of the RFCs are verified, and no changed bit of their signatures is", arguments: examples)
  func example(_ example: Example) throws {
    let set = try #require(TokenKeySet(["keys": [example.key]]))
    let key = set.keys[0].key
    let parts = example.token.split(separator: ".")
    let signed = Array("\(parts[0]).\(parts[1])".utf8)
    let signature = try #require(Base64URL.decode(parts[2]))
    #expect(key.verifies(signature, of: signed))
    for index in signature.indices {
      var other = signature
      other[index] ^= 1
      #expect(!key.verifies(other, of: signed), "byte \(index)")
    }
    for other in [[], Array(signature.dropLast()), signature + [0], [UInt8](repeating: 0, count: signature.count)] {
      #expect(!key.verifies(other, of: signed), "\(other.count) bytes")
    }
    #expect(!key.verifies(signature, of: signed + [0]))
    let token = try SignedToken(example.token)
    #expect(set.key(nil, token.algorithm) != nil)
    // The example of RFC 8037 signs a text that is not JSON.
    if example.source == "RFC 8037 A.4" {
      #expect(throws: TokenFault.malformed) { try token.claims(verifiedBy: key) }
    } else {
      #expect(try token.claims(verifiedBy: key).json["iss"] == "joe")
    }
  }

  @Test("The challenge of PKCE is that of RFC 7636, appendix B")
  func challenge() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    #expect(
      Base64URL.encode(Digest.sha256(Array(verifier.utf8))) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
  }

  struct Vector: Sendable, CustomTestStringConvertible {
    let name: String
    /// Nil for a token that counts.
    let fault: TokenFault?
    let token: String
    var testDescription: String { name }
  }

  /// The time for which the tokens were made.
  static let now = Timestamp(milliseconds: 1_772_352_000_000)

  static func stored() throws -> (keys: JSON, vectors: [Vector]) {
    let json = try JSON(parsing: try Repository.bytes("Tests/Server/OIDC/tokens.json"))
    let vectors = (json["tokens"]?.arrayValue ?? []).map { entry in
      Vector(
        name: entry["name"]?.stringValue ?? "", fault: entry["fault"]?.stringValue.flatMap { TokenFault(rawValue: $0) },
        token: entry["token"]?.stringValue ?? "")
    }
    return (json, vectors)
  }

  @Test("A token counts, or has the fault for which it was made", arguments: (try? stored().vectors) ?? [])
  func judge(_ vector: Vector) throws {
    let set = try #require(TokenKeySet(try Self.stored().keys))
    func check() throws(TokenFault) {
      let token = try SignedToken(vector.token)
      guard let key = set.key(token.keyID, token.algorithm) else { throw .keyUnknown }
      try token.claims(verifiedBy: key)
        .check(issuer: "https://login.lab.example", audience: "saga", now: Self.now, skew: .seconds(60))
    }
    do throws(TokenFault) {
      try check()
      #expect(vector.fault == nil)
    } catch {
      #expect(error == vector.fault)
    }
  }

  @Test("The vectors have every fault that a token can have")
  func complete() throws {
    let vectors = try Self.stored().vectors
    #expect(vectors.count > 50 && vectors.contains { $0.fault == nil })
    let faults: Set<TokenFault> = [
      .malformed, .tooLong, .algorithm, .type, .critical, .signature, .issuer, .audience, .expired, .claims,
      .notYetValid, .keyUnknown,
    ]
    #expect(Set(vectors.compactMap(\.fault)) == faults)
  }

  @Test("Of a provider's keys only those count that sign with RS256, ES256 or EdDSA and are long enough")
  func keySet() throws {
    let set = try #require(TokenKeySet(try Self.stored().keys))
    #expect(set.keys.map(\.id) == ["r", "e", "d"])
    #expect(set.keys.map(\.key.algorithm) == [.rs256, .es256, .edDSA])
    for nothing: JSON in [[:], ["keys": []], ["keys": [1, ["kty": "oct", "k": "AA"]]], [], ["keys": ["kty": "RSA"]]] {
      #expect(TokenKeySet(nothing) == nil)
    }
    #expect(PublicKey(ed25519: [1]) == nil && PublicKey(x: [1], y: [2]) == nil)
    let modulus = [UInt8](repeating: 0xFF, count: 256)
    for exponent: [UInt8] in [[], [0], [1], [2], [4], [1, 0, 0, 0, 1]] {
      #expect(PublicKey(modulus: modulus, exponent: exponent) == nil, "\(exponent)")
    }
    #expect(PublicKey(modulus: [0] + modulus, exponent: [1, 0, 1]) != nil)
    #expect(PublicKey(modulus: [UInt8](repeating: 0xFF, count: 1_025), exponent: [1, 0, 1]) == nil)
  }

  @Test("Base64 for URLs has one text for the same bytes")
  func base64() {
    for count in 0...40 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
      let text = Base64URL.encode(bytes)
      #expect(Base64URL.decode(text) == bytes)
      #expect(Data(bytes).base64EncodedString().hasPrefix(text.replacing("-", with: "+").replacing("_", with: "/")))
    }
    for text in ["A", "AB=", "AA==", "A A", "A+A", "A/A", "AB", "AAB", "é"] { #expect(Base64URL.decode(text) == nil) }
    #expect(Base64URL.decode("AA") == [0] && Base64URL.decode("") == [])
  }
}
