import JSON
import Persistence
import Runtime
import Values

/// A command that did not come over HTTP: it has the name of a command of its service, and no path.
struct NamedCommand: Sendable {
  let service: LabService
  let name: String
  /// The Idempotency-Key.
  let key: String
  /// The key of the command that this one undoes.
  var compensates: String?
  var sagaID: String?
  var userID: String?
  var tenantID: String?
  let body: JSONObject
}

extension Participants {
  /// Returns a command of a service by its name. When an undo has the same name as its command, `compensates` decides.
  func command(_ service: LabService, _ name: String, isUndo: Bool) -> ServiceCommand? {
    let named = commands.filter { $0.service == service && $0.name == name }
    return named.count > 1 ? named.first { $0.isUndo == isUndo } : named.first
  }

  /// Returns the command of this name.
  /// - Throws: a refusal that names the service's commands.
  func command(_ named: NamedCommand) throws(LabRefusal) -> ServiceCommand {
    guard let command = command(named.service, named.name, isUndo: named.compensates != nil) else {
      throw LabRefusal(
        LabErrorCode.commandUnknown, status: 422,
        "\(named.service.rawValue) has no command “\(named.name)”; it has "
          + "\(named.service.commands.joined(separator: ", ")).")
    }
    return command
  }

  /// Carries out a command. A repeat with the same key gets the first answer.
  /// - Returns: nil when a fault withholds the answer.
  /// - Throws: a `StoreError` that may pass. The command is to be carried out again.
  func carryOut(_ command: ServiceCommand, _ named: NamedCommand, log: Log) async throws -> CommandReply? {
    do {
      let said = try command.read(named.body)
      let call = CommandCall(
        service: named.service, key: named.key, compensates: named.compensates, digest: said.digest,
        userID: named.userID, tenantID: named.tenantID, correlationID: named.sagaID)
      let received = ReceivedCommand(call: call, body: said.body, parameters: said.parameters)
      switch try await gate.carryOut(command, received) {
      case .answered(let answer): return .succeeded(answer.body)
      case .answerDropped, .withheld: return nil
      }
    } catch let refusal as LabRefusal {
      return CommandReply(refusal)
    } catch let error as StoreError where error.mayPass {
      throw error
    } catch let error as any CodedError {
      // A retry would fail again.
      log.error(
        "A command failed; answered with an error", ("command", "\(named.service.rawValue).\(named.name)"),
        ("error", "\(error)"))
      return .unknown(code: error.code, message: error.message)
    }
  }
}

extension StoreError {
  /// Returns whether a retry may succeed.
  fileprivate var mayPass: Bool {
    switch kind {
    case .unavailable, .outcomeUnknown, .closed, .notOwner, .versionConflict, .checkpointConflict: true
    case .startKeyTaken, .claimTaken, .definitionConflict, .invalid, .corrupt, .locked, .foreign, .newerVersion,
      .olderVersion:
      false
    }
  }
}
