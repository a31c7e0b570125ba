import JSON
import Values

/// The body of an error: RFC 9457 with a stable code. Readers take bodies of proxies, too, so every member is optional.
public struct ProblemResponse: WireValue {
  public let title: String?
  public let detail: String?
  public let code: String?
  public let errors: [Place]
  public let allowed: [AcceptedVerb]

  public init(_ members: Members) throws(UnexpectedMember) {
    title = try members.textIfAny("title")
    detail = try members.textIfAny("detail")
    code = try members.textIfAny("code")
    errors = try members.listIfAny("errors") ?? []
    allowed = try members.listIfAny("allowed") ?? []
  }

  public var json: JSON {
    .members([
      "title": .text(title), "detail": .text(detail), "code": .text(code), "errors": .listIfAny(errors),
      "allowed": .listIfAny(allowed),
    ])
  }

  /// One mistake in a request, with its place.
  public struct Place: WireValue {
    public let pointer: String?
    /// The place in the schema that the value doesn't meet.
    public let schema: String?
    public let line: Int?
    public let column: Int?
    public let parameter: String?
    public let header: String?
    public let message: String?
    public let severity: String?
    public let nearName: String?

    public init(_ members: Members) throws(UnexpectedMember) {
      pointer = try members.textIfAny("pointer")
      schema = try members.textIfAny("schema")
      line = try members.intIfAny("line")
      column = try members.intIfAny("column")
      parameter = try members.textIfAny("parameter")
      header = try members.textIfAny("header")
      message = try members.textIfAny("message")
      severity = try members.textIfAny("severity")
      nearName = try members.textIfAny("nearName")
    }

    public var json: JSON {
      .members([
        "pointer": .text(pointer), "schema": .text(schema), "line": .integer(line), "column": .integer(column),
        "parameter": .text(parameter),
        "header": .text(header), "message": .text(message), "severity": .text(severity), "nearName": .text(nearName),
      ])
    }
  }
}
