import Foundation
import JSON
import Runtime
import Values

/// One call of a command: its words, and its access to the terminal, the clock and the engine.
struct Invocation: Sendable {
  let command: CommandSpec
  let arguments: ParsedArguments
  let terminal: Terminal
  let environment: Runtime.Environment
  /// The process's environment variables.
  let variables: [String: String]
  /// Talks to the engine.
  let send: APIClient.Send

  var style: Style { terminal.style }
  var json: Bool { arguments.has("json") }

  func usage(_ message: String) -> UsageError { UsageError(message, of: command) }

  /// Returns an operand that the command requires.
  func required(_ index: Int) throws(UsageError) -> String {
    guard let operand = arguments.operand(index) else { throw usage("\(command.name) wants one more operand") }
    return operand
  }

  /// Returns the bytes of a file, or of standard input for `-`.
  func bytes(of file: String) throws -> [UInt8] {
    if file == "-" { return terminal.readAll() }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue else {
      throw CLIError(
        CLIErrorCode.fileUnreadable,
        "can't read \(file): \(isFolder.boolValue ? "it is a folder" : "there is no such file")")
    }
    do {
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    } catch {
      let cocoa = error as NSError
      let why = (cocoa.userInfo[NSUnderlyingErrorKey] as? NSError)?.localizedDescription ?? cocoa.localizedDescription
      throw CLIError(CLIErrorCode.fileUnreadable, "can't read \(file): \(why)")
    }
  }

  /// Returns the JSON of a file, or of standard input for `-`.
  func json(of file: String) throws -> JSON { try JSON.located(bytes(of: file), in: file == "-" ? "<stdin>" : file) }

  /// Reads a file of settings of `saga serve`. An error shows nothing of its content.
  func settings(of file: String) throws -> JSON {
    do {
      return try JSON(parsing: bytes(of: file))
    } catch let error as JSONError {
      throw CLIError(CLIErrorCode.inputInvalid, "\(file):\(error.withoutContent)")
    }
  }

  /// Returns the time that an option names, such as `10s`; nil without the option.
  func time(_ option: String) throws(UsageError) -> Duration? {
    guard let text = arguments.value(option) else { return nil }
    guard let time = DurationText.parse(text) else { throw usage("--\(option) wants a time as 10s, not \"\(text)\"") }
    return time
  }

  /// Returns the value of an option that is a whole number from 0.
  func number(_ option: String) throws(UsageError) -> Int? {
    guard let text = arguments.value(option) else { return nil }
    guard let number = Int(text), number >= 0 else { throw usage("--\(option) wants a whole number, not \"\(text)\"") }
    return number
  }
}

extension JSON {
  /// Parses JSON. The error names the file.
  static func located(_ bytes: [UInt8], in name: String) throws(CLIError) -> JSON {
    do {
      return try JSON(parsing: bytes)
    } catch {
      throw CLIError(
        CLIErrorCode.inputInvalid, "\(name):\(error.line):\(error.column): \(error.message) [\(error.code)]")
    }
  }
}
