import JSON

/// A file that was read as JSON, and the report for its findings. Workflows, streams, tests and rules of the stub begin
/// with it.
package struct OpenedFile {
  package let document: JSONDocument
  package let report: Report

  /// - Parameters:
  ///   - bytes: the file.
  ///   - file: its name, for the findings.
  ///   - most: the size of the largest file that is read, in bytes.
  ///   - tooLarge: the code for a larger file.
  ///   - codes: the codes for mistakes of form.
  /// - Throws: `UnreadableFile` for a file that is too large, or that is not JSON.
  package init(
    _ bytes: [UInt8], file: String?, atMost most: Int, tooLarge: String, codes: FormCodes
  ) throws(UnreadableFile) {
    guard bytes.count <= most else {
      throw UnreadableFile(
        finding: Finding(
          severity: .error, code: tooLarge,
          message: "the file has \(bytes.count) bytes, \(most) are the most that is read", pointer: .root,
          place: SourcePlace(line: 1, column: 1, offset: 0), file: file))
    }
    do {
      document = try JSONDocument(parsing: bytes)
    } catch {
      throw UnreadableFile(
        finding: Finding(
          severity: .error, code: error.code, message: error.message, pointer: error.pointer, place: error.place,
          file: file))
    }
    report = Report(document: document, bytes: bytes, file: file, codes: codes)
  }

  /// - Parameter code: the one code for mistakes of form, and for a file that is too large.
  package init(_ bytes: [UInt8], file: String?, atMost most: Int, code: String) throws(UnreadableFile) {
    try self.init(bytes, file: file, atMost: most, tooLarge: code, codes: FormCodes(all: code))
  }
}

/// A file that has one finding, because nothing in it could be read.
package struct UnreadableFile: Error {
  package let finding: Finding
}
