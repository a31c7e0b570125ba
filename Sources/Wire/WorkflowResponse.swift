import JSON
import Values

/// The answer of `GET /v1/workflows`: one page.
public struct WorkflowListResponse: WireValue {
  public let workflows: [Workflow]
  public let next: String?

  public init(workflows: [Workflow], next: String? = nil) {
    self.workflows = workflows
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    workflows = try members.list("workflows")
    next = try members.textIfAny("next")
  }

  public var json: JSON {
    .members([
      "workflows": .list(workflows), "next": .text(next),
    ])
  }

  /// One workflow with its latest version.
  public struct Workflow: WireValue {
    public let name: String
    public let version: Int
    public let versions: [Int]
    public let description: String?
    public let owner: String?

    public init(name: String, version: Int, versions: [Int], description: String? = nil, owner: String? = nil) {
      self.name = name
      self.version = version
      self.versions = versions
      self.description = description
      self.owner = owner
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      name = try members.text("name")
      version = try members.int("version")
      versions = try members.ints("versions")
      description = try members.textIfAny("description")
      owner = try members.textIfAny("owner")
    }

    public var json: JSON {
      .members([
        "name": .string(name), "version": .int(version), "draft": .flag(VersionName.isDraft(version)),
        "versions": .array(versions.map(JSON.int)),
        "description": .text(description), "owner": .text(owner),
      ])
    }
  }
}

/// The answer of `GET /v1/workflows/{name}`.
public struct WorkflowResponse: WireValue {
  public let name: String
  public let version: Int
  public let versions: [Int]
  public let description: String?
  public let owner: String?
  public let digest: String
  public let registeredAt: Timestamp
  public let registeredBy: String
  public let definition: JSON

  public init(
    name: String, version: Int, versions: [Int], description: String? = nil, owner: String? = nil, digest: String,
    registeredAt: Timestamp, registeredBy: String, definition: JSON
  ) {
    self.name = name
    self.version = version
    self.versions = versions
    self.description = description
    self.owner = owner
    self.digest = digest
    self.registeredAt = registeredAt
    self.registeredBy = registeredBy
    self.definition = definition
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    name = try members.text("name")
    version = try members.int("version")
    versions = try members.ints("versions")
    description = try members.textIfAny("description")
    owner = try members.textIfAny("owner")
    digest = try members.text("digest")
    registeredAt = try members.time("registeredAt")
    registeredBy = try members.text("registeredBy")
    definition = try members.json("definition")
  }

  public var json: JSON {
    .members([
      "name": .string(name), "version": .int(version), "draft": .flag(VersionName.isDraft(version)),
      "versions": .array(versions.map(JSON.int)),
      "description": .text(description), "owner": .text(owner), "digest": .string(digest),
      "registeredAt": .time(registeredAt), "registeredBy": .string(registeredBy), "definition": definition,
    ])
  }
}

/// The answer to the registration of a workflow.
public struct RegistrationResponse: WireValue {
  public let name: String
  public let version: Int
  public let digest: String
  /// Whether the version is new.
  public let created: Bool
  public let warnings: [FindingResponse]

  public init(name: String, version: Int, digest: String, created: Bool, warnings: [FindingResponse]) {
    self.name = name
    self.version = version
    self.digest = digest
    self.created = created
    self.warnings = warnings
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    name = try members.text("name")
    version = try members.int("version")
    digest = try members.text("digest")
    created = try members.bool("created")
    warnings = try members.list("warnings")
  }

  public var json: JSON {
    .members([
      "name": .string(name), "version": .int(version), "draft": .flag(VersionName.isDraft(version)),
      "digest": .string(digest), "created": .bool(created),
      "warnings": .list(warnings),
    ])
  }
}

/// The answer of `POST /v1/workflows/check`.
public struct CheckResponse: WireValue {
  public let valid: Bool
  public let name: String?
  public let version: Int?
  public let findings: [FindingResponse]
  /// The number of findings that are not listed.
  public let more: Int?

  public init(valid: Bool, name: String? = nil, version: Int? = nil, findings: [FindingResponse], more: Int? = nil) {
    self.valid = valid
    self.name = name
    self.version = version
    self.findings = findings
    self.more = more
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    valid = try members.bool("valid")
    name = try members.textIfAny("name")
    version = try members.intIfAny("version")
    findings = try members.list("findings")
    more = try members.intIfAny("more")
  }

  public var json: JSON {
    .members([
      "valid": .bool(valid), "name": .text(name), "version": .integer(version), "findings": .list(findings),
      "more": .integer(more),
    ])
  }
}

/// An error or a warning of the workflow checker.
public struct FindingResponse: WireValue {
  public let severity: String
  public let code: String
  public let message: String
  public let pointer: String?
  public let line: Int?
  public let column: Int?
  public let file: String?
  /// The known name that is nearest to the given one.
  public let nearName: String?

  public init(
    severity: String, code: String, message: String, pointer: String? = nil, line: Int? = nil, column: Int? = nil,
    file: String? = nil, nearName: String? = nil
  ) {
    self.severity = severity
    self.code = code
    self.message = message
    self.pointer = pointer
    self.line = line
    self.column = column
    self.file = file
    self.nearName = nearName
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    severity = try members.text("severity")
    code = try members.text("code")
    message = try members.text("message")
    pointer = try members.textIfAny("pointer")
    line = try members.intIfAny("line")
    column = try members.intIfAny("column")
    file = try members.textIfAny("file")
    nearName = try members.textIfAny("nearName")
  }

  public var json: JSON {
    .members([
      "severity": .string(severity), "code": .string(code), "message": .string(message), "pointer": .text(pointer),
      "line": .integer(line), "column": .integer(column), "file": .text(file), "nearName": .text(nearName),
    ])
  }
}
