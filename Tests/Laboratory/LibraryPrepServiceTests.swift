import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Library preparation, in process", .timeLimit(.minutes(15)), .inTurn)
struct LibraryPrepServiceTests {
  private static let reservation = UniqueID.named("rv").description
  private static let lot = "/library-prep/lots/LIG-7"
  private static let tags = "/library-prep/tag-plates/TAG-42"
  private static let reservedTags = "\(tags)/reservations/\(reservation)"
  private static let library = "/library-prep/libraries/\(UniqueID.named("l"))"
  private static let limits: JSON = ["leastNM": 4, "leastBp": 300, "mostBp": 800]

  private func plate(_ stage: String) -> String { "/library-prep/plates/\(UniqueID.named(stage))" }

  private func make(_ lab: LabBench, _ stage: String, from parent: String? = nil) async throws -> LabBench.Reply {
    var body: JSON = [
      "stage": .string(stage),
      "wells": [["sample": "TS-1", "library": "LIB-1"], ["sample": "TS-2", "library": "LIB-2"]],
    ]
    if let parent { body = ["stage": .string(stage), "parent": .string(UniqueID.named(parent).description)] }
    return try await lab.send("PUT", plate(stage), body, key: "make \(stage)", saga: "saga")
  }

  /// Makes the plate of a stage, and lets its robot work.
  private func run(_ lab: LabBench, _ stage: String, from parent: String? = nil) async throws {
    #expect(try await make(lab, stage, from: parent).status == 201)
    let checked = try await lab.send("POST", plate(stage) + "/bed", ["robot": "BRAVO-1"], key: "bed \(stage)")
    #expect(checked.status == 200 && checked.body["status"] == "checked")
    lab.clock.advance(by: .seconds(10))
  }

  private func receiveTags(_ lab: LabBench, until day: String = "2999-12-31") async throws {
    let received = try await lab.send("PUT", Self.tags, ["set": "B", "expiresOn": .string(day)], key: "tags")
    #expect(received.status == 201)
    #expect(try await lab.send("PUT", Self.reservedTags, key: "reserve tags").status == 201)
  }

  @Test("A library is made on four plates, gets the tags of its well, and passes its quality control")
  func made() async throws {
    let lab = try await LabBench()
    try await receiveTags(lab)
    let request: JSON = ["barcode": "LIB-2", "sample": "TS-2"]
    #expect(try await lab.send("PUT", Self.library, request, key: "l").body["status"] == "started")
    let sheared = try await make(lab, "shearing")
    #expect(sheared.body["wells"]?[1] == ["well": "A02", "sample": "TS-2", "library": "LIB-2"])
    #expect(try await make(lab, "ligation", from: "shearing").code == "prep.plateState")
    _ = try await lab.send("POST", plate("shearing") + "/bed", ["robot": "BRAVO-1"], key: "bed")
    #expect(try await lab.send("GET", plate("shearing")).body["status"] == "running")
    lab.clock.advance(by: .seconds(10))
    #expect(try await lab.send("GET", plate("shearing")).body["status"] == "done")
    #expect(try await make(lab, "pcr", from: "shearing").code == "prep.plateState")
    try await run(lab, "ligation", from: "shearing")

    let amplified = try await make(lab, "pcr", from: "ligation")
    #expect(amplified.body["parent"] == .string(UniqueID.named("ligation").description))
    #expect(amplified.body["wells"] == sheared.body["wells"])
    let pcr = plate("pcr")
    #expect(try await lab.send("POST", pcr + "/bed", ["robot": "BRAVO-1"], key: "b1").code == "prep.bedWrong")
    let spend: JSON = ["plateId": .string(UniqueID.named("pcr").description)]
    #expect(try await lab.send("POST", Self.reservedTags + "/consumption", spend, key: "c1").code == "prep.bedWrong")
    let bed: JSON = ["robot": "BRAVO-1", "tagPlate": "TAG-42"]
    #expect(try await lab.send("POST", pcr + "/bed", bed, key: "b2").status == 200)
    lab.clock.advance(by: .seconds(60))
    #expect(try await lab.send("GET", pcr).body["status"] == "checked")
    #expect(try await lab.send("POST", pcr + "/reports", ["isDone": true], key: "r").code == "prep.plateState")
    let spent = try await lab.send("POST", Self.reservedTags + "/consumption", spend, key: "c2")
    #expect(spent.status == 200 && spent.body["status"] == "consumed")
    #expect(try await lab.send("GET", pcr).body["status"] == "running")
    lab.clock.advance(by: .seconds(10))
    try await run(lab, "clean-up", from: "pcr")

    let place: JSON = ["plateId": .string(UniqueID.named("clean-up").description), "tagPlate": "TAG-42"]
    let made = try await lab.send("POST", Self.library + "/well", place, key: "w")
    let pair = TagPair(of: .b, well: 1)
    #expect(made.status == 201 && made.body["well"] == "A02" && made.body["i7"] == .string(pair.i7))
    #expect(made.body["i5"] == .string(pair.i5) && made.body["tagPlate"] == "TAG-42")
    #expect(try await lab.send("POST", Self.library + "/qc", Self.limits, key: "q").body["status"] == "measuring")
    try await expectNoPool(lab)
    lab.clock.advance(by: .seconds(10))
    let passed = try await lab.send("GET", Self.library).body
    #expect(passed["status"] == "passed" && passed["nM"] == 25 && passed["reasons"] == [])
    let late: JSON = ["ngPerUl": 1, "sizeBp": 500]
    #expect(try await lab.send("POST", Self.library + "/qc/result", late, key: "late").code == "prep.libraryState")

    let plates = try await lab.send("GET", "/library-prep/plates?stage=clean-up&sagaId=saga").body["items"]
    #expect(plates?.arrayValue?.map { $0["id"] } == [.string(UniqueID.named("clean-up").description)])
    #expect(try await lab.send("GET", "/library-prep/plates?stage=clean-up&sagaId=x").body["items"] == [])
    let libraries = try await lab.send("GET", "/library-prep/libraries?barcode=LIB-2&sample=TS-2").body["items"]
    #expect(libraries?.arrayValue?.map { $0["well"] } == ["A02"])
    try await expectPool(lab, pair)
    // Repeats get their first answers.
    #expect(try await lab.send("POST", Self.library + "/well", place, key: "w") == made)
    #expect(try await lab.send("POST", Self.reservedTags + "/consumption", spend, key: "c2") == spent)
    // Spent tags are never used again.
    let other = "\(Self.tags)/reservations/\(UniqueID.named("other"))"
    #expect(try await lab.send("PUT", other, key: "again").code == "prep.tagsSpent")
    let release = try await lab.send("DELETE", Self.reservedTags, key: "u", compensates: "reserve tags")
    #expect(release.code == "prep.tagsSpent")
    await lab.participants.close()
  }

  private static let pooled = "/pooling/libraries/LIB-2"
  private static let pool = UniqueID.named("pool").description

  /// Expects that no pool takes the library, and that the undo of a lock that never came finds nothing to undo.
  private func expectNoPool(_ lab: LabBench) async throws {
    let lock = Self.pooled + "/locks/\(Self.pool)"
    #expect(try await lab.send("PUT", lock, key: "early").code == "prep.libraryState")
    #expect(try await lab.send("GET", Self.pooled).code == "prep.libraryState")
    #expect(try await lab.send("DELETE", lock, key: "early/undo", compensates: "never").status == 404)
  }

  /// Expects that a pool draws from the library, with what library preparation knows of it.
  private func expectPool(_ lab: LabBench, _ pair: TagPair) async throws {
    let shown = try await lab.send("GET", Self.pooled).body
    #expect(shown["nM"] == 25 && shown["i7"] == .string(pair.i7) && shown["i5"] == .string(pair.i5))
    #expect(shown["volumeUl"] == 20 && shown["status"] == "received")
    let copy: JSON = ["i7": "ATTACTCG", "ngPerUl": 13.2, "sizeBp": 400, "volumeUl": 20]
    #expect(try await lab.send("PUT", Self.pooled, copy, key: "copy").code == "prep.libraryTaken")
    let lock = Self.pooled + "/locks/\(Self.pool)"
    let locked = try await lab.send("PUT", lock, key: "lock")
    #expect(locked.body["status"] == "locked" && locked.body["nM"] == 25)
    #expect(try await lab.send("PUT", lock, key: "lock") == locked)
    let dilution = Self.pooled + "/dilutions/\(Self.pool)"
    let diluted = try await lab.send("PUT", dilution, ["nM": 4, "volumeUl": 10], key: "dilute")
    #expect(diluted.body["drawUl"] == 1.6 && diluted.body["barcode"] == "LIB-2")
    #expect(try await lab.send("GET", Self.pooled).body["volumeLeftUl"] == 18.4)
    let unlocked = try await lab.send("DELETE", lock, key: "unlock", compensates: "lock")
    #expect(unlocked.body["status"] == "received")
    // The barcode of a library from elsewhere belongs to one library.
    #expect(try await lab.send("PUT", "/pooling/libraries/EXT-1", copy, key: "ext").status == 201)
    let request: JSON = ["barcode": "EXT-1", "sample": "TS-9"]
    let taken = try await lab.send("PUT", "/library-prep/libraries/\(UniqueID.named("ext"))", request, key: "taken")
    #expect(taken.code == "prep.libraryTaken")
    #expect(try await lab.send("GET", "/pooling/libraries/EXT-1").body["nM"] == 50)
  }

  @Test("A weak library fails its quality control, with the reasons")
  func weak() async throws {
    let lab = try await LabBench()
    try await receiveTags(lab)
    _ = try await lab.send("PUT", Self.library, ["barcode": "LIB-1", "sample": "TS-1"], key: "l")
    try await run(lab, "shearing")
    try await run(lab, "ligation", from: "shearing")
    _ = try await make(lab, "pcr", from: "ligation")
    let bed: JSON = ["robot": "BRAVO-1", "tagPlate": "TAG-42"]
    _ = try await lab.send("POST", plate("pcr") + "/bed", bed, key: "bed")
    let spend: JSON = ["plateId": .string(UniqueID.named("pcr").description)]
    _ = try await lab.send("POST", Self.reservedTags + "/consumption", spend, key: "c")
    #expect(try await lab.send("POST", plate("pcr") + "/reports", ["isDone": true], key: "r").status == 201)
    #expect(try await make(lab, "clean-up", from: "pcr").status == 201)
    let place: JSON = ["plateId": .string(UniqueID.named("clean-up").description), "tagPlate": "TAG-42"]
    #expect(try await lab.send("POST", Self.library + "/well", place, key: "early").code == "prep.plateState")
    _ = try await lab.send("POST", plate("clean-up") + "/bed", ["robot": "BRAVO-1"], key: "bed 4")
    _ = try await lab.send("POST", plate("clean-up") + "/reports", ["isDone": true], key: "r4")
    _ = try await lab.send("PUT", "/library-prep/tag-plates/TAG-1", ["set": "A", "expiresOn": "2999-12-31"], key: "t1")
    let wrong: JSON = ["plateId": .string(UniqueID.named("clean-up").description), "tagPlate": "TAG-1"]
    #expect(try await lab.send("POST", Self.library + "/well", wrong, key: "w1").code == "prep.libraryState")
    #expect(try await lab.send("POST", Self.library + "/well", place, key: "w").body["well"] == "A01")
    _ = try await lab.send("POST", Self.library + "/qc", Self.limits, key: "q")
    let reading: JSON = ["ngPerUl": 0.5, "sizeBp": 250]
    let measured = try await lab.send("POST", Self.library + "/qc/result", reading, key: "m")
    #expect(measured.body["status"] == "failed" && measured.body["nM"] == 3.03)
    #expect(measured.body["reasons"] == ["3.03 nM is below 4", "250 bp is below 300"])
    #expect(try await lab.send("DELETE", Self.library, key: "u", compensates: "l").code == "prep.libraryState")
    await lab.participants.close()
  }

  @Test("A lot is checked, reserved and opened until its last day has passed")
  func expiry() async throws {
    let lab = try await LabBench()
    let content: JSON = ["stage": "ligation", "expiresOn": "2026-03-01", "reactions": 96]
    #expect(try await lab.send("GET", Self.lot).code == "lab.unknown")
    #expect(try await lab.send("PUT", Self.lot, content, key: "r").body["free"] == 96)
    let later: JSON = ["stage": "ligation", "expiresOn": "2026-06-30", "reactions": 8]
    _ = try await lab.send("PUT", "/library-prep/lots/LIG-8", later, key: "r8")
    _ = try await lab.send("PUT", "/library-prep/lots/LIG-9", later, key: "r9")
    _ = try await lab.send("POST", "/library-prep/lots/LIG-9/discard", key: "d9")
    func valid(_ query: String) async throws -> [JSON] {
      let items = try await lab.send("GET", "/library-prep/lots?\(query)").body["items"]?.arrayValue
      return items?.compactMap { $0["lot"] } ?? []
    }
    #expect(try await valid("stage=ligation") == ["LIG-7", "LIG-8"])
    #expect(try await valid("validOn=2026-03-01") == ["LIG-7", "LIG-8"])
    #expect(try await valid("validOn=2026-03-02") == ["LIG-8"])
    #expect(try await valid("stage=pcr") == [])
    #expect(try await lab.send("GET", "/library-prep/lots?validOn=soon").code == "lab.invalid")

    let good = try await lab.send("GET", "\(Self.lot)/check?stage=ligation&reactions=96").body
    #expect(good == ["lot": "LIG-7", "stage": "ligation", "usable": true, "reasons": []])
    let unknown = try await lab.send("GET", "/library-prep/lots/LIG-0/check?stage=ligation&reactions=1").body
    #expect(unknown["usable"] == false && unknown["reasons"] == ["the lot is unknown"])
    #expect(try await lab.send("GET", "\(Self.lot)/check?stage=washing&reactions=1").code == "lab.invalid")
    #expect(try await lab.send("GET", "\(Self.lot)/check?stage=pcr&reactions=0").code == "lab.invalid")

    let reservation = "\(Self.lot)/reservations/\(Self.reservation)"
    let wanted: JSON = ["stage": "ligation", "reactions": 8]
    let reserved = try await lab.send("PUT", reservation, wanted, key: "v")
    #expect(reserved.status == 201 && reserved.body["id"] == .string(Self.reservation))
    #expect(try await lab.send("GET", Self.lot).body["free"] == 88)
    lab.clock.advance(by: .seconds(86_400))
    #expect(try await lab.send("POST", "\(reservation)/consumption", key: "c").code == "prep.lotExpired")
    let late = try await lab.send("GET", "\(Self.lot)/check?stage=ligation&reactions=8").body
    #expect(late["reasons"] == ["it expired on 2026-03-01"])
    let released = try await lab.send("DELETE", reservation, key: "u", compensates: "v")
    #expect(released.body["status"] == "released")
    #expect(try await lab.send("GET", Self.lot).body["free"] == 96)
    await lab.participants.close()
  }

  @Test("A wrong body is refused with every place")
  func refused() async throws {
    let lab = try await LabBench()
    func places(_ path: String, _ body: JSON, _ key: String) async throws -> [JSON?] {
      let reply = try await lab.send("PUT", path, body, key: key)
      #expect(reply.code == "lab.invalid")
      return reply.body["errors"]?.arrayValue?.map { $0["pointer"] } ?? []
    }
    #expect(try await places(Self.lot, ["stage": "washing"], "1") == ["/stage", "/expiresOn", "/reactions"])
    #expect(
      try await places(Self.lot, ["stage": "pcr", "expiresOn": "2026-02-30", "reactions": 0], "2") == [
        "/expiresOn", "/reactions",
      ])
    #expect(try await places(Self.tags, ["set": "E"], "3") == ["/set", "/expiresOn"])
    let wells: JSON = [
      "stage": "shearing",
      "wells": [["sample": "TS-1", "library": "LIB-1"], ["sample": ""], ["sample": "TS-3", "library": "LIB-1"]],
    ]
    #expect(
      try await places(plate("shearing"), wells, "4") == ["/wells/1/sample", "/wells/1/library", "/wells/2/library"])
    #expect(try await places(plate("shearing"), ["stage": "shearing", "wells": []], "5") == ["/wells"])
    #expect(try await places(plate("pcr"), ["stage": "pcr"], "6") == ["/parent"])
    #expect(try await places(Self.library, ["barcode": " x"], "7") == ["/barcode", "/sample"])
    await lab.participants.close()
  }

  @Test("An undo that comes first keeps its command from taking effect")
  func undoneBefore() async throws {
    let lab = try await LabBench()
    try await receiveTags(lab)
    #expect(try await lab.send("DELETE", plate("shearing"), key: "1", compensates: "make shearing").status == 404)
    #expect(try await make(lab, "shearing").code == "lab.undoneBefore")
    #expect(try await lab.send("DELETE", Self.library, key: "2", compensates: "l").status == 404)
    let request: JSON = ["barcode": "LIB-1", "sample": "TS-1"]
    #expect(try await lab.send("PUT", Self.library, request, key: "l").code == "lab.undoneBefore")
    let reservation = "\(Self.lot)/reservations/\(Self.reservation)"
    #expect(try await lab.send("DELETE", reservation, key: "3", compensates: "v").status == 404)
    let content: JSON = ["stage": "ligation", "expiresOn": "2999-12-31", "reactions": 96]
    _ = try await lab.send("PUT", Self.lot, content, key: "r")
    let wanted: JSON = ["stage": "ligation", "reactions": 8]
    #expect(try await lab.send("PUT", reservation, wanted, key: "v").code == "lab.undoneBefore")
    let other = "\(Self.tags)/reservations/\(UniqueID.named("other"))"
    #expect(try await lab.send("DELETE", other, key: "4", compensates: "t").status == 404)
    _ = try await lab.send("DELETE", Self.reservedTags, key: "5", compensates: "reserve tags")
    #expect(try await lab.send("PUT", other, key: "t").code == "lab.undoneBefore")
    await lab.participants.close()
  }

  @Test("A library's barcode belongs to one request, and is free after its cancel")
  func barcodes() async throws {
    let lab = try await LabBench()
    let request: JSON = ["barcode": "LIB-1", "sample": "TS-1"]
    let other = "/library-prep/libraries/\(UniqueID.named("m"))"
    #expect(try await lab.send("PUT", Self.library, request, key: "l").status == 201)
    let taken = try await lab.send("PUT", other, request, key: "m")
    #expect(taken.status == 409 && taken.code == "prep.libraryTaken")
    #expect(try await lab.send("DELETE", Self.library, key: "u", compensates: "l").body["status"] == "cancelled")
    #expect(try await lab.send("PUT", other, request, key: "m").status == 201)
    await lab.participants.close()
  }
}
