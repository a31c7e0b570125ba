import JSON
import Values

@testable import Laboratory

/// A command as it is sent over HTTP, and as it is sent over Kafka.
struct CommandCase: Sendable, CustomStringConvertible {
  let service: LabService
  let name: String
  let method: String
  let path: String
  /// Over HTTP.
  var body: JSON?
  /// Over Kafka.
  let said: JSON
  /// The names of the cases that must run first.
  var after: [String] = []
  /// The case whose command it undoes.
  var undoes: String?
  var label: String?

  /// How other cases name it.
  var title: String { label ?? "\(service.rawValue).\(name)" }
  var description: String { title }
  var key: String { "key/\(title)" }
  var compensates: String? { undoes.map { "key/\($0)" } }

  static func named(_ title: String) -> CommandCase? { all.first { $0.title == title } }

  /// It, and all that has to happen before it.
  var before: [CommandCase] {
    var steps: [CommandCase] = []
    for title in after {
      guard let step = Self.named(title) else { continue }
      for one in step.before + [step] where !steps.contains(where: { $0.title == one.title }) { steps.append(one) }
    }
    return steps
  }

  private static let sample = UniqueID.named("s").description
  private static let aliquot = UniqueID.named("a").description
  private static let allocation = UniqueID.named("al").description
  private static let run = UniqueID.named("r").description
  private static let message = UniqueID.named("m").description
  private static let kit = UniqueID.named("k").description
  private static let request = UniqueID.named("q").description
  private static let reservation = UniqueID.named("rv").description
  private static let job = UniqueID.named("j").description
  private static let copy = UniqueID.named("c").description
  private static let delivery = UniqueID.named("d").description
  private static let pool = UniqueID.named("p").description

  static func with(_ more: KeyValuePairs<String, String>, _ body: JSON = [:]) -> JSON {
    var object = body.objectValue ?? [:]
    for (name, value) in more { object[name] = .string(value) }
    return .object(object)
  }

  static let all: [CommandCase] =
    samples + storage + sequencing + notification + accession + qc + pipeline + libraryPrep + flowCells + pooling

  private static let samples: [CommandCase] = {
    let path = "/samples/samples/\(sample)"
    let aliquotBody: JSON = ["barcode": "TS-1-A", "volumeMl": 0.5]
    return [
      CommandCase(
        service: .samples, name: "create", method: "PUT", path: path, body: LabBench.tube("TS-1"),
        said: with(["sampleId": sample], LabBench.tube("TS-1"))),
      CommandCase(
        service: .samples, name: "create", method: "POST", path: "/samples/samples", body: LabBench.tube("TS-2"),
        said: LabBench.tube("TS-2"), label: "samples.create without an id"),
      CommandCase(
        service: .samples, name: "create", method: "PUT", path: path, body: LabBench.tube("TS-1"),
        said: with(["id": sample], LabBench.tube("TS-1")), label: "samples.create by id"),
      CommandCase(
        service: .samples, name: "validate", method: "POST", path: "\(path)/validation",
        said: with(["sampleId": sample]), after: ["samples.create"]),
      CommandCase(
        service: .samples, name: "revertValidation", method: "DELETE", path: "\(path)/validation",
        said: with(["sampleId": sample]), after: ["samples.validate"], undoes: "samples.validate"),
      CommandCase(
        service: .samples, name: "printLabel", method: "PUT", path: "\(path)/label", body: ["position": "C4-1/B01/A01"],
        said: with(["sampleId": sample, "position": "C4-1/B01/A01"]), after: ["samples.create"]),
      CommandCase(
        service: .samples, name: "voidLabel", method: "DELETE", path: "\(path)/label",
        said: with(["sampleId": sample]), after: ["samples.printLabel"], undoes: "samples.printLabel"),
      CommandCase(
        service: .samples, name: "aliquot", method: "PUT", path: "\(path)/aliquots/\(aliquot)", body: aliquotBody,
        said: with(["sampleId": sample, "aliquotId": aliquot], aliquotBody), after: ["samples.validate"]),
      CommandCase(
        service: .samples, name: "aliquot", method: "POST", path: "\(path)/aliquots", body: aliquotBody,
        said: with(["sampleId": sample], aliquotBody), after: ["samples.validate"],
        label: "samples.aliquot without an id"),
      CommandCase(
        service: .samples, name: "voidAliquot", method: "DELETE", path: "\(path)/aliquots/\(aliquot)",
        said: with(["sampleId": sample, "aliquotId": aliquot]), after: ["samples.aliquot"],
        undoes: "samples.aliquot"),
      CommandCase(
        service: .samples, name: "void", method: "DELETE", path: "\(path)?reason=spilt",
        said: with(["sampleId": sample, "reason": "spilt"]), after: ["samples.create"], undoes: "samples.create"),
    ]
  }()

  private static let storage: [CommandCase] = {
    let path = "/storage/allocations/\(allocation)"
    let content = with(["sampleId": sample])
    return [
      CommandCase(
        service: .storage, name: "allocate", method: "PUT", path: path, body: LabBench.place(sample),
        said: with(["allocationId": allocation], LabBench.place(sample))),
      CommandCase(
        service: .storage, name: "store", method: "PUT", path: "\(path)/content", body: content,
        said: with(["allocationId": allocation], content), after: ["storage.allocate"]),
      CommandCase(
        service: .storage, name: "move", method: "POST", path: "\(path)/position", body: ["temperature": "-80"],
        said: with(["allocationId": allocation, "temperature": "-80"]), after: ["storage.allocate"]),
      CommandCase(
        service: .storage, name: "remove", method: "DELETE", path: "\(path)/content",
        said: with(["allocationId": allocation]), after: ["storage.store"], undoes: "storage.store"),
      CommandCase(
        service: .storage, name: "release", method: "DELETE", path: path, said: with(["allocationId": allocation]),
        after: ["storage.allocate"], undoes: "storage.allocate"),
    ]
  }()

  private static let sequencing: [CommandCase] = {
    let path = "/sequencing/runs/\(run)"
    let request: JSON = ["sampleId": "s", "assay": "wgs", "instrument": "NOVASEQ-1"]
    let lane: JSON = ["flowCell": "NOVASEQ-1-FC1", "lane": 3]
    var saidLane = with(["runId": run]).objectValue ?? [:]
    saidLane["flowCell"] = "NOVASEQ-1-FC1"
    saidLane["lane"] = 3
    let own = with(["runId": run])
    return [
      CommandCase(
        service: .sequencing, name: "schedule", method: "PUT", path: path, body: request,
        said: with(["runId": run], request)),
      CommandCase(
        service: .sequencing, name: "bookLane", method: "POST", path: "\(path)/lanes", body: lane,
        said: .object(saidLane), after: ["sequencing.schedule"]),
      CommandCase(
        service: .sequencing, name: "releaseLane", method: "DELETE", path: "\(path)/lanes/NOVASEQ-1-FC1/3",
        said: .object(saidLane), after: ["sequencing.bookLane"], undoes: "sequencing.bookLane"),
      CommandCase(
        service: .sequencing, name: "load", method: "POST", path: "\(path)/load", said: own,
        after: ["sequencing.bookLane"]),
      CommandCase(
        service: .sequencing, name: "unload", method: "DELETE", path: "\(path)/load", said: own,
        after: ["sequencing.load"], undoes: "sequencing.load"),
      CommandCase(
        service: .sequencing, name: "start", method: "POST", path: "\(path)/start", said: own,
        after: ["sequencing.load"]),
      CommandCase(
        service: .sequencing, name: "recordEvent", method: "POST", path: "\(path)/events", body: ["kind": "cycle"],
        said: with(["runId": run, "kind": "cycle"]), after: ["sequencing.start"]),
      CommandCase(
        service: .sequencing, name: "complete", method: "POST", path: "\(path)/complete", said: own,
        after: ["sequencing.start"]),
      CommandCase(
        service: .sequencing, name: "cancel", method: "DELETE", path: "\(path)?reason=late",
        said: with(["runId": run, "reason": "late"]), after: ["sequencing.bookLane"], undoes: "sequencing.schedule"),
    ] + kits
  }()

  private static let kits: [CommandCase] = {
    let path = "/sequencing/kits/\(kit)"
    let body: JSON = ["lot": "NX-7", "expiresOn": "2999-12-31"]
    return [
      CommandCase(
        service: .sequencing, name: "takeKit", method: "PUT", path: path, body: body, said: with(["kitId": kit], body)),
      CommandCase(
        service: .sequencing, name: "returnKit", method: "DELETE", path: path, said: with(["kitId": kit]),
        after: ["sequencing.takeKit"], undoes: "sequencing.takeKit"),
      CommandCase(
        service: .sequencing, name: "thawKit", method: "POST", path: "\(path)/thaw", said: with(["kitId": kit]),
        after: ["sequencing.takeKit"]),
      CommandCase(
        service: .sequencing, name: "writeOffKit", method: "DELETE", path: "\(path)/thaw", said: with(["kitId": kit]),
        after: ["sequencing.thawKit"], undoes: "sequencing.thawKit"),
    ]
  }()

  private static let notification: [CommandCase] = {
    let path = "/notification/messages/\(message)"
    let content: JSON = ["recipient": "a@b.example", "subject": "Stored"]
    return [
      CommandCase(
        service: .notification, name: "send", method: "PUT", path: path, body: content,
        said: with(["messageId": message], content)),
      CommandCase(
        service: .notification, name: "correct", method: "POST", path: "\(path)/corrections",
        body: ["text": "It is in C4."], said: with(["messageId": message, "text": "It is in C4."]),
        after: ["notification.send"]),
      CommandCase(
        service: .notification, name: "correct", method: "DELETE", path: path, said: with(["messageId": message]),
        after: ["notification.send"], undoes: "notification.send", label: "notification.correct as an undo"),
    ]
  }()

  private static let accession: [CommandCase] = {
    let path = "/accession/requests/\(request)"
    return [
      CommandCase(
        service: .accession, name: "request", method: "PUT", path: path, body: ["barcode": "TS-1"],
        said: with(["requestId": request, "barcode": "TS-1"]))
    ]
  }()

  private static let qc: [CommandCase] = {
    let path = "/qc/plates/QC-1/reservations"
    let barcodes: JSON = ["barcodes": ["TS-1", "TS-2"]]
    let wells: KeyValuePairs = ["plate": "QC-1", "reservationId": reservation]
    let decision = "/qc/decisions/\(reservation)/TS-1"
    let sample: KeyValuePairs = ["reservationId": reservation, "barcode": "TS-1"]
    let limits: JSON = [
      "type": "dna", "leastNgPerUl": 20, "mostNgPerUl": 750, "leastUl": 10, "leastNg": 1000, "leastRin": 7,
    ]
    return [
      CommandCase(
        service: .qc, name: "reserveWells", method: "PUT", path: "\(path)/\(reservation)", body: barcodes,
        said: with(wells, barcodes)),
      CommandCase(
        service: .qc, name: "reserveWells", method: "POST", path: path, body: barcodes,
        said: with(["plate": "QC-1"], barcodes), label: "qc.reserveWells without an id"),
      CommandCase(
        service: .qc, name: "releaseWells", method: "DELETE", path: "\(path)/\(reservation)", said: with(wells),
        after: ["qc.reserveWells"], undoes: "qc.reserveWells"),
      CommandCase(
        service: .qc, name: "evaluate", method: "PUT", path: decision, body: limits, said: with(sample, limits),
        after: ["qc.recordMeasurement", "qc.recordMeasurement of fragments"]),
      CommandCase(
        service: .qc, name: "withdrawDecision", method: "DELETE", path: decision, said: with(sample),
        after: ["qc.evaluate"], undoes: "qc.evaluate"),
      CommandCase(
        service: .qc, name: "answer", method: "POST", path: "\(decision)/answer", body: ["decision": "replace"],
        said: with(sample, ["decision": "replace"]), after: ["qc.evaluate"]),
      CommandCase(
        service: .qc, name: "recordDecision", method: "POST", path: "\(decision)/record", said: with(sample),
        after: ["qc.answer"]),
    ] + measurements
  }()

  private static let measurements: [CommandCase] = {
    func path(_ instrument: String) -> String { "/qc/measurements/\(reservation)/TS-1/\(instrument)" }
    func named(_ instrument: String, _ body: JSON = [:]) -> JSON {
      with(["reservationId": reservation, "barcode": "TS-1", "instrument": instrument], body)
    }
    let (fluorometer, analyzer) = ("fluorometer", "fragment-analyzer")
    let booking: JSON = ["plate": "QC-1", "aliquot": "TS-1-QC"]
    let concentration: JSON = ["ngPerUl": 8.5, "volumeUl": 12]
    return [
      CommandCase(
        service: .qc, name: "bookMeasurement", method: "PUT", path: path(fluorometer), body: booking,
        said: named(fluorometer, booking), after: ["qc.reserveWells"]),
      CommandCase(
        service: .qc, name: "cancelMeasurement", method: "DELETE", path: path(fluorometer), said: named(fluorometer),
        after: ["qc.bookMeasurement"], undoes: "qc.bookMeasurement"),
      CommandCase(
        service: .qc, name: "recordMeasurement", method: "POST", path: path(fluorometer) + "/result",
        body: concentration, said: named(fluorometer, concentration), after: ["qc.bookMeasurement"]),
      CommandCase(
        service: .qc, name: "recordMeasurement", method: "POST", path: path(fluorometer) + "/result",
        body: ["error": "NO_SAMPLE"], said: named(fluorometer, ["error": "NO_SAMPLE"]),
        after: ["qc.bookMeasurement"], label: "qc.recordMeasurement of a failure"),
      CommandCase(
        service: .qc, name: "bookMeasurement", method: "PUT", path: path(analyzer), body: booking,
        said: named(analyzer, booking), after: ["qc.reserveWells"], label: "qc.bookMeasurement of fragments"),
      CommandCase(
        service: .qc, name: "recordMeasurement", method: "POST", path: path(analyzer) + "/result",
        body: ["sizeBp": 480], said: named(analyzer, ["sizeBp": 480]), after: ["qc.bookMeasurement of fragments"],
        label: "qc.recordMeasurement of fragments"),
    ]
  }()

  private static let pipeline: [CommandCase] = {
    let path = "/pipeline/jobs/\(job)"
    let request: JSON = ["runId": "RUN-7", "barcodes": ["TS-1"]]
    let reads: JSON = ["barcode": "TS-1", "reads": 999]
    let file: JSON = ["jobId": .string(job), "file": "TS-1_R1.fastq.gz", "folder": "ward-7"]
    let content: JSON = ["recipient": "a@b.example", "copies": [.string(copy)]]
    return [
      CommandCase(
        service: .pipeline, name: "startJob", method: "PUT", path: path, body: request,
        said: with(["jobId": job], request)),
      CommandCase(
        service: .pipeline, name: "startJob", method: "POST", path: "/pipeline/jobs",
        body: ["runId": "RUN-8", "barcodes": ["TS-1"], "addsTo": .string(job)],
        said: ["runId": "RUN-8", "barcodes": ["TS-1"], "addsTo": .string(job)],
        after: ["pipeline.reportJob of the end"], label: "pipeline.startJob that adds to another"),
      CommandCase(
        service: .pipeline, name: "deleteJob", method: "DELETE", path: path, said: with(["jobId": job]),
        after: ["pipeline.startJob"], undoes: "pipeline.startJob"),
      CommandCase(
        service: .pipeline, name: "reportJob", method: "POST", path: "\(path)/reports", body: reads,
        said: with(["jobId": job], reads), after: ["pipeline.startJob"]),
      CommandCase(
        service: .pipeline, name: "reportJob", method: "POST", path: "\(path)/reports", body: ["isDone": true],
        said: with(["jobId": job], ["isDone": true]), after: ["pipeline.startJob"],
        label: "pipeline.reportJob of the end"),
      CommandCase(
        service: .pipeline, name: "reportJob", method: "POST", path: "\(path)/reports", body: ["error": "DISK_FULL"],
        said: with(["jobId": job], ["error": "DISK_FULL"]), after: ["pipeline.startJob"],
        label: "pipeline.reportJob of a failure"),
      CommandCase(
        service: .pipeline, name: "copyFile", method: "PUT", path: "/pipeline/copies/\(copy)", body: file,
        said: with(["copyId": copy], file), after: ["pipeline.reportJob of the end"]),
      CommandCase(
        service: .pipeline, name: "deleteCopy", method: "DELETE", path: "/pipeline/copies/\(copy)",
        said: with(["copyId": copy]), after: ["pipeline.copyFile"], undoes: "pipeline.copyFile"),
      CommandCase(
        service: .pipeline, name: "deliver", method: "PUT", path: "/pipeline/deliveries/\(delivery)", body: content,
        said: with(["deliveryId": delivery], content), after: ["pipeline.copyFile"]),
    ]
  }()

  private static let flowCells: [CommandCase] = {
    let path = "/sequencing/flow-cells/FC-7"
    let place = "\(path)/reservations/\(reservation)"
    let content: JSON = ["kind": "S4", "expiresOn": "2999-12-31"]
    let cell = with(["flowCell": "FC-7"])
    let wanted: JSON = ["poolId": "P-1", "lanes": 2]
    return [
      CommandCase(
        service: .sequencing, name: "receiveFlowCell", method: "PUT", path: path, body: content,
        said: with(["flowCell": "FC-7"], content)),
      CommandCase(
        service: .sequencing, name: "discardFlowCell", method: "DELETE", path: path, said: cell,
        after: ["sequencing.receiveFlowCell"], undoes: "sequencing.receiveFlowCell"),
      CommandCase(
        service: .sequencing, name: "useFlowCell", method: "POST", path: "\(path)/use", said: cell,
        after: ["sequencing.receiveFlowCell"]),
      CommandCase(
        service: .sequencing, name: "reserveLanes", method: "PUT", path: place, body: wanted,
        said: with(["flowCell": "FC-7", "reservationId": reservation], wanted), after: ["sequencing.receiveFlowCell"]),
      CommandCase(
        service: .sequencing, name: "releaseLanes", method: "DELETE", path: place,
        said: with(["flowCell": "FC-7", "reservationId": reservation]), after: ["sequencing.reserveLanes"],
        undoes: "sequencing.reserveLanes"),
    ]
  }()

  private static let pooling: [CommandCase] = {
    let library = "/pooling/libraries/L-1"
    let path = "/pooling/pools/\(pool)"
    let content: JSON = ["i7": "ATTACTCG", "i5": "TATAGCCT", "ngPerUl": 13.2, "sizeBp": 400, "volumeUl": 20]
    let both = with(["barcode": "L-1", "poolId": pool])
    let dilution: JSON = ["nM": 4, "volumeUl": 10]
    let check: JSON = ["barcodes": ["L-1"], "leastDistance": 3]
    let approval: JSON = ["approvedBy": "ines"]
    return [
      CommandCase(
        service: .pooling, name: "receiveLibrary", method: "PUT", path: library, body: content,
        said: with(["barcode": "L-1"], content)),
      CommandCase(
        service: .pooling, name: "discardLibrary", method: "DELETE", path: library, said: with(["barcode": "L-1"]),
        after: ["pooling.receiveLibrary"], undoes: "pooling.receiveLibrary"),
      CommandCase(
        service: .pooling, name: "lockLibrary", method: "PUT", path: "\(library)/locks/\(pool)", said: both,
        after: ["pooling.receiveLibrary"]),
      CommandCase(
        service: .pooling, name: "unlockLibrary", method: "DELETE", path: "\(library)/locks/\(pool)", said: both,
        after: ["pooling.lockLibrary"], undoes: "pooling.lockLibrary"),
      CommandCase(
        service: .pooling, name: "diluteLibrary", method: "PUT", path: "\(library)/dilutions/\(pool)", body: dilution,
        said: with(["barcode": "L-1", "poolId": pool], dilution), after: ["pooling.lockLibrary"]),
      CommandCase(
        service: .pooling, name: "discardDilution", method: "DELETE", path: "\(library)/dilutions/\(pool)", said: both,
        after: ["pooling.diluteLibrary"], undoes: "pooling.diluteLibrary"),
      CommandCase(
        service: .pooling, name: "openPool", method: "PUT", path: path, body: ["name": "POOL-7"],
        said: with(["poolId": pool, "name": "POOL-7"])),
      CommandCase(
        service: .pooling, name: "dissolvePool", method: "DELETE", path: path, said: with(["poolId": pool]),
        after: ["pooling.openPool"], undoes: "pooling.openPool"),
      CommandCase(
        service: .pooling, name: "checkIndexes", method: "POST", path: "\(path)/index-check", body: check,
        said: with(["poolId": pool], check), after: ["pooling.lockLibrary", "pooling.openPool"]),
      CommandCase(
        service: .pooling, name: "mixPool", method: "POST", path: "\(path)/mix", body: approval,
        said: with(["poolId": pool], approval), after: ["pooling.checkIndexes", "pooling.diluteLibrary"]),
      CommandCase(
        service: .pooling, name: "recordQPCR", method: "POST", path: "\(path)/qpcr", body: ["nM": 3.9],
        said: with(["poolId": pool], ["nM": 3.9]), after: ["pooling.mixPool"]),
      CommandCase(
        service: .pooling, name: "writeSampleSheet", method: "PUT", path: "\(path)/sample-sheet",
        body: ["lanes": ["FC-7/1"]], said: with(["poolId": pool], ["lanes": ["FC-7/1"]]), after: ["pooling.recordQPCR"]),
    ]
  }()
}
