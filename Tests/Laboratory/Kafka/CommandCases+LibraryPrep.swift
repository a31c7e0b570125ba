import JSON
import Values

@testable import Laboratory

/// The commands of library preparation: lots, tag plates, the plates of all stages, and a library.
extension CommandCase {
  private static let prepReservation = UniqueID.named("rv").description
  private static let library = UniqueID.named("l").description

  /// The plates of the stages in their order.
  private static let plates: [(stage: String, id: String)] = ["shearing", "ligation", "pcr", "clean-up"].map {
    ($0, UniqueID.named($0).description)
  }

  static let libraryPrep: [CommandCase] = lots + tagPlates + prepPlates + libraries

  /// - Parameter label: what distinguishes it from the first case of the command.
  private static func one(
    _ name: String, _ method: String, _ path: String, _ parameters: KeyValuePairs<String, String>,
    _ body: JSON? = nil, after: [String] = [], undoes: String? = nil, label: String? = nil
  ) -> CommandCase {
    CommandCase(
      service: .libraryPrep, name: name, method: method, path: "/library-prep\(path)", body: body,
      said: with(parameters, body ?? [:]), after: after.map { "library-prep.\($0)" },
      undoes: undoes.map { "library-prep.\($0)" }, label: label.map { "library-prep.\(name) \($0)" })
  }

  private static let lots: [CommandCase] = {
    let path = "/lots/LIG-7"
    let reserved = "\(path)/reservations/\(prepReservation)"
    let content: JSON = ["stage": "ligation", "expiresOn": "2999-12-31", "reactions": 96]
    let wanted: JSON = ["stage": "ligation", "reactions": 8]
    let own: KeyValuePairs = ["lot": "LIG-7", "reservationId": prepReservation]
    return [
      one("receiveLot", "PUT", path, ["lot": "LIG-7"], content),
      one("discardLot", "POST", "\(path)/discard", ["lot": "LIG-7"], after: ["receiveLot"]),
      one("reserveLot", "PUT", reserved, own, wanted, after: ["receiveLot"]),
      one("releaseLot", "DELETE", reserved, own, after: ["reserveLot"], undoes: "reserveLot"),
      one("consumeLot", "POST", "\(reserved)/consumption", own, after: ["reserveLot"]),
      one(
        "releaseLot", "DELETE", reserved, own, after: ["consumeLot"], undoes: "reserveLot", label: "of an opened one"),
    ]
  }()

  private static let tagPlates: [CommandCase] = {
    let path = "/tag-plates/TAG-42"
    let reserved = "\(path)/reservations/\(prepReservation)"
    let own: KeyValuePairs = ["tagPlate": "TAG-42", "reservationId": prepReservation]
    return [
      one("receiveTagPlate", "PUT", path, ["tagPlate": "TAG-42"], ["set": "A", "expiresOn": "2999-12-31"]),
      one("discardTagPlate", "POST", "\(path)/discard", ["tagPlate": "TAG-42"], after: ["receiveTagPlate"]),
      one("reserveTagPlate", "PUT", reserved, own, after: ["receiveTagPlate"]),
      one("releaseTagPlate", "DELETE", reserved, own, after: ["reserveTagPlate"], undoes: "reserveTagPlate"),
      one(
        "consumeTagPlate", "POST", "\(reserved)/consumption", own, ["plateId": .string(plates[2].id)],
        after: ["checkBed of pcr"]),
    ]
  }()

  private static let prepPlates: [CommandCase] = {
    var cases: [CommandCase] = []
    for (index, plate) in plates.enumerated() {
      let path = "/plates/\(plate.id)"
      let own: KeyValuePairs = ["plateId": plate.id]
      // The cases of the first stage have no label.
      let label = index == 0 ? nil : "of \(plate.stage)"
      func title(_ name: String) -> String { label.map { "\(name) \($0)" } ?? name }
      var body: JSON = ["stage": "shearing", "wells": [["sample": "TS-1", "library": "LIB-1"]]]
      var before: [String] = []
      if index > 0 {
        body = ["stage": .string(plate.stage), "parent": .string(plates[index - 1].id)]
        before = [index == 1 ? "reportRobot" : "reportRobot of \(plates[index - 1].stage)"]
      }
      var bed: JSON = ["robot": "BRAVO-1"]
      var beforeBed = [title("makePlate")]
      var beforeEnd = [title("checkBed")]
      if plate.stage == "pcr" {
        bed = ["robot": "BRAVO-1", "tagPlate": "TAG-42"]
        beforeBed.append("reserveTagPlate")
        beforeEnd.append("consumeTagPlate")
      }
      cases += [
        one("makePlate", "PUT", path, own, body, after: before, label: label),
        one("checkBed", "POST", "\(path)/bed", own, bed, after: beforeBed, label: label),
        one("reportRobot", "POST", "\(path)/reports", own, ["isDone": true], after: beforeEnd, label: label),
      ]
    }
    let path = "/plates/\(plates[0].id)"
    let own: KeyValuePairs = ["plateId": plates[0].id]
    return cases + [
      one("discardPlate", "DELETE", path, own, after: ["makePlate"], undoes: "makePlate"),
      one(
        "reportRobot", "POST", "\(path)/reports", own, ["error": "TIP_LOST"], after: ["checkBed"],
        label: "of a failure"),
    ]
  }()

  private static let libraries: [CommandCase] = {
    let path = "/libraries/\(library)"
    let own: KeyValuePairs = ["libraryId": library]
    let place: JSON = ["plateId": .string(plates[3].id), "tagPlate": "TAG-42"]
    let limits: JSON = ["leastNM": 4, "leastBp": 300, "mostBp": 800]
    return [
      one("startLibrary", "PUT", path, own, ["barcode": "LIB-1", "sample": "TS-1"]),
      one("cancelLibrary", "DELETE", path, own, after: ["startLibrary"], undoes: "startLibrary"),
      one("makeLibrary", "POST", "\(path)/well", own, place, after: ["startLibrary", "reportRobot of clean-up"]),
      one("bookLibraryQC", "POST", "\(path)/qc", own, limits, after: ["makeLibrary"]),
      one(
        "recordLibraryQC", "POST", "\(path)/qc/result", own, ["ngPerUl": 8.25, "sizeBp": 500],
        after: ["bookLibraryQC"]),
    ]
  }()
}
