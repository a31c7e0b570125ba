import Foundation
import HTTP
import Persistence
import Values

/// A cursor as clients see it: opaque, bound to its list and filters, and sealed. A cursor that was cut, changed or
/// used for another list is refused, because it would give the wrong page.
struct SealedCursor {
  /// Names the list and its filters.
  let scope: String
  private static let sealLength = 8

  init(list: String, filters: [String?] = []) {
    // The lengths make the scopes of different filters different.
    scope = ([list] + filters.map { $0.map { "\($0.utf8.count):\($0)" } ?? "-" }).joined(separator: "|")
  }

  func seal(_ position: String) -> String {
    let bytes = seal(of: Array(position.utf8)) + Array(position.utf8)
    return Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
      "=", with: "")
  }

  func open(_ cursor: String?) throws(Problem) -> String? {
    guard let cursor else { return nil }
    let standard = cursor.replacing("-", with: "+").replacing("_", with: "/")
    let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: standard + padding), data.count > Self.sealLength,
      case let position = Array(data.dropFirst(Self.sealLength)),
      Array(data.prefix(Self.sealLength)) == seal(of: position),
      let text = String(validating: position, as: UTF8.self),
      // No position has one, and no store takes a U+0000.
      !text.utf8.contains(where: { $0 < 0x20 })
    else {
      throw Self.malformed
    }
    return text
  }

  /// Reads a cursor of a list of documents.
  func document(_ cursor: String?) throws(Problem) -> DocumentCursor? {
    guard let text = try open(cursor) else { return nil }
    // The sort text has no bar in it; an id may have one.
    let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw Self.malformed }
    return DocumentCursor(sort: parts[0], id: parts[1])
  }

  static var malformed: Problem {
    Problem(
      Fault(
        ServerErrorCode.cursorMalformed,
        "The cursor does not belong to this list. Pass `next` of the page before unchanged, with the same filters.",
        parameter: "cursor"))
  }

  private func seal(of position: [UInt8]) -> [UInt8] {
    Array(Digest.sha256(Array(scope.utf8) + [0] + position).prefix(Self.sealLength))
  }
}
