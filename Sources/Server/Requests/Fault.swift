import HTTP
import JSON
import Wire

/// One mistake in a request, with its place.
struct Fault {
  var code: String
  var message: String
  /// Into the body.
  var pointer: JSONPointer?
  var place: SourcePlace?
  /// Of the query or the path.
  var parameter: String?
  var header: String?
  /// The known name that is nearest to the given one.
  var nearName: String?

  init(
    _ code: String, _ message: String, pointer: JSONPointer? = nil, place: SourcePlace? = nil,
    parameter: String? = nil, header: String? = nil, nearName: String? = nil
  ) {
    self.code = code
    self.message = message
    self.pointer = pointer
    self.place = place
    self.parameter = parameter
    self.header = header
    self.nearName = nearName
  }

  var json: JSON {
    .members([
      "pointer": .text(pointer?.shown), "line": .integer(place?.line), "column": .integer(place?.column),
      "offset": .integer(place?.offset), "parameter": .text(parameter), "header": .text(header),
      "code": .string(code), "message": .string(message), "nearName": .text(nearName),
    ])
  }
}

extension Problem {
  /// Makes one problem of several faults. The first fault decides its code, and so its status and title.
  /// - Parameter more: the number of further faults that are not listed.
  init(_ faults: [Fault], more: Int = 0) {
    let first = faults.first?.code ?? ServerErrorCode.bodyMalformed
    var sentences = faults.prefix(Self.mostSentences).map(\.message)
    let others = max(0, faults.count - Self.mostSentences) + more
    if others > 0 { sentences.append("And \(others) more.") }
    self.init(
      Refusals.status(of: first) ?? 400, first, title: Refusals.title(of: first),
      detail: sentences.joined(separator: " "),
      errors: faults.map(\.json), members: more > 0 ? ["more": .int(more)] : [:])
  }

  /// The most faults whose messages `detail` has. `errors` has all that are listed.
  private static let mostSentences = 10

  init(_ fault: Fault) { self.init([fault]) }
}
