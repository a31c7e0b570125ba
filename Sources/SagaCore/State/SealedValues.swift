import JSON
import Values

// Sensitive values. The events of a saga, its state and its snapshots have a sealed text in place of each sensitive
// value. A decision and the rendering of a call read the document of the saga, and there the values are open. The shell
// around the core has the key: it gives the state something that opens, and it seals what was decided.

/// Opens the sealed values of one saga. The same text always gives the same value.
package protocol ValueOpening: AnyObject, Sendable {
  /// Returns the value in a sealed text; nil for a text that this saga has not sealed.
  func opened(_ text: String) -> JSON?
  /// Returns the saga's input with its sealed values open. The input of a saga never changes.
  func input(_ sealed: JSON) -> JSON
  /// Returns 64 hexadecimal digits that only an owner of the key can compute from the bytes.
  func digest(of bytes: [UInt8]) -> String
}

/// What opens the sealed values of a state. All states count as equal in it, because it follows from the saga's key.
package struct ValueOpener: Sendable, Hashable {
  package static let none = ValueOpener(nil)

  private let opening: (any ValueOpening)?

  package init(_ opening: (any ValueOpening)?) { self.opening = opening }

  /// Returns a value with its sealed texts open.
  func opened(_ json: JSON) -> JSON {
    guard let opening else { return json }
    return json.replacingTexts { SealedText.isOne($0) ? opening.opened($0) : nil }
  }

  func input(_ sealed: JSON) -> JSON { opening?.input(sealed) ?? sealed }

  /// Returns a digest that is stored: 64 hexadecimal digits. With a key, no other program can find the value by trying.
  func digest(of bytes: [UInt8]) -> String { opening?.digest(of: bytes) ?? Digest.hex(bytes) }

  package static func == (left: ValueOpener, right: ValueOpener) -> Bool { true }
  package func hash(into hasher: inout Hasher) {}
}

extension ValueOpener: CustomReflectable {
  package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SagaState {
  /// The state as it is stored: nothing of it opens a sealed value.
  package var closed: SagaState {
    var state = self
    state.opener = .none
    return state
  }
}

extension JSON {
  /// Returns the value with each string replaced for which `replacement` returns a value.
  package func replacingTexts(_ replacement: (String) -> JSON?) -> JSON {
    switch self {
    case .string(let text): replacement(text) ?? self
    case .array(let elements): .array(elements.map { $0.replacingTexts(replacement) })
    case .object(let members):
      .object(JSONObject(members.map { ($0.name, $0.value.replacingTexts(replacement)) }))
    case .null, .bool, .number: self
    }
  }
}
