/// The error codes for the form of a file. Files of several languages use the same readers.
package struct FormCodes: Sendable {
  package let wrongType: String
  package let unknownKey: String
  package let missingKey: String
  package let badValue: String
  package let badName: String
  package let badDuration: String

  /// The codes for a workflow file.
  package static let workflow = FormCodes(
    wrongType: WorkflowErrorCode.wrongType, unknownKey: WorkflowErrorCode.unknownKey,
    missingKey: WorkflowErrorCode.missingKey, badValue: WorkflowErrorCode.badValue, badName: WorkflowErrorCode.badName,
    badDuration: WorkflowErrorCode.badDuration)

  /// Uses one code for all form errors.
  package init(all code: String) {
    self.init(
      wrongType: code, unknownKey: code, missingKey: code, badValue: code, badName: code, badDuration: code)
  }

  private init(
    wrongType: String, unknownKey: String, missingKey: String, badValue: String, badName: String, badDuration: String
  ) {
    self.wrongType = wrongType
    self.unknownKey = unknownKey
    self.missingKey = missingKey
    self.badValue = badValue
    self.badName = badName
    self.badDuration = badDuration
  }
}
