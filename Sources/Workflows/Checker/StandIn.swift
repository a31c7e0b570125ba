import JSON

// The checker's shapes, until the checker itself is here: then this file goes.

public struct Finding: Sendable, Hashable {
  public var code = ""
  public var description: String { code }
}

public struct CheckResult: Sendable {
  public var definition: WorkflowDefinition?
  public var findings: [Finding] = []
  public var errors: [Finding] = []
  public var warnings: [Finding] = []
}

public enum WorkflowChecker {
  public static func check(_ bytes: [UInt8], file: String? = nil, services: Set<String>? = nil) -> CheckResult {
    CheckResult()
  }
}
