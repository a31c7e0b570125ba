import JSON
import JSONSchema

/// A JSON Schema in a workflow: of the input of its sagas, or of the body of a signal. It is compiled once.
public struct WorkflowSchema: Sendable {
  /// The schema as the file has it.
  public let source: JSON
  /// Nil when the schema can't be compiled. An earlier version, which did not enforce schemas, has stored it. It refuses
  /// nothing.
  public let compiled: JSONSchema?
  /// What the compiler found in the schema.
  public let findings: [SchemaFinding]
  /// Whether the schema declares a part of its values as sensitive.
  package let declaresSensitive: Bool

  public init(_ source: JSON) {
    let result = JSONSchema.compile(source)
    self.source = source
    compiled = result.schema
    findings = result.findings
    declaresSensitive = SensitiveParts.isMarked(source)
  }
}

extension WorkflowSchema: Hashable {
  public static func == (left: WorkflowSchema, right: WorkflowSchema) -> Bool { left.source == right.source }
  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

extension WorkflowDefinition {
  /// The schemas of the workflow with their places in the file.
  package var schemas: [(pointer: JSONPointer, schema: WorkflowSchema)] {
    var schemas: [(JSONPointer, WorkflowSchema)] = []
    if let inputSchema { schemas.append((JSONPointer.root.appending("inputSchema"), inputSchema)) }
    for step in steps {
      if case .signal(let signal) = step.action, let schema = signal.schema {
        schemas.append((step.pointer.appending("signal").appending("schema"), schema))
      }
    }
    return schemas
  }
}
