import JSON

/// Decodes the definitions that a store holds.
///
/// Sagas run on a stored definition, so a rule that is newer than the definition must never make it unreadable. Decoding
/// needs only the form of the file: known members, with the types and words that the language has. It applies none of
/// the checker's rules (references, times, names, limits). A form is never taken out of the language. The tests keep a
/// file of each version of the language, and the definition that it must become.
public enum StoredWorkflow {
  /// Returns the definition that these bytes were registered as.
  /// - Throws: the first part that can't be decoded. A definition that a later version registered can be such a file.
  public static func decode(_ bytes: [UInt8]) throws(StoredWorkflowError) -> WorkflowDefinition {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: bytes)
    } catch {
      throw StoredWorkflowError(pointer: error.pointer, message: error.message)
    }
    let report = Report(document: document, bytes: bytes, file: nil, purpose: .decoding)
    let reader = WorkflowReader(services: KnownServices(http: nil, kafka: nil), report: report)
    if let definition = reader.workflow(document.root), !report.hasErrors { return definition }
    let finding = report.inOrder().first { $0.severity == .error }
    throw StoredWorkflowError(
      pointer: finding?.pointer ?? .root, message: finding?.message ?? "the dependencies of the steps are broken")
  }
}

/// The part of a stored definition that can't be decoded.
public struct StoredWorkflowError: Error, Sendable, Hashable, CustomStringConvertible {
  public let pointer: JSONPointer
  public let message: String

  public var description: String { "\(pointer.shown): \(message)" }
}
