import HTTP
import JSON

/// One place of a request that something is wrong with.
struct Fault {
  var code: String
  var message: String
  /// Into the body.
  var pointer: JSONPointer?
  var place: SourcePlace?
  /// Of the query or the path.
  var parameter: String?
  var header: String?
  /// The name that was probably meant.
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
      "pointer": .text(pointer?.description), "line": .integer(place?.line), "column": .integer(place?.column),
      "offset": .integer(place?.offset), "parameter": .text(parameter), "header": .text(header),
      "code": .string(code), "message": .string(message), "nearName": .text(nearName),
    ])
  }
}

extension Problem {
  /// Several faults are one problem, named for the first.
  init(_ status: Int, _ faults: [Fault]) {
    let first = faults.first?.code ?? ServerErrorCode.bodyMalformed
    self.init(
      status, first, title: Refusals.title(of: first),
      detail: faults.map(\.message).joined(separator: " "), errors: faults.map(\.json))
  }

  init(_ status: Int, _ fault: Fault) { self.init(status, [fault]) }
}
