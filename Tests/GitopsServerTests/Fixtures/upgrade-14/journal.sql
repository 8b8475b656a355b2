CREATE TABLE pipelines (
    name TEXT PRIMARY KEY, settings TEXT NOT NULL, created INTEGER NOT NULL,
    polled INTEGER, poll_error TEXT, seen TEXT
, unsettled INTEGER NOT NULL DEFAULT 0, seen_origin TEXT) STRICT;
INSERT INTO pipelines VALUES('site','{"name":"site","repo":"file:\/\/\/tmp\/volt-fixture\/repository","path":"","workload":"site","pollInterval":1,"allowFile":true,"timeout":600,"createdAt":"2026-11-30T18:38:20.750Z","control":{"drift":"repair","driftInterval":1},"provider":"github","allowHTTP":false,"branch":"main","allowsUnsigned":true}',1796063900750,1796063908511,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0,'');
INSERT INTO pipelines VALUES('options','{"workload":"options","track":{"submodules":true,"lfs":true},"allowsUnsigned":true,"path":"","repo":"file:\/\/\/tmp\/volt-fixture\/repository","allowFile":true,"provider":"github","createdAt":"2026-11-30T18:38:20.994Z","control":{"drift":"repair","driftInterval":1},"allowHTTP":false,"timeout":600,"name":"options","branch":"main","pollInterval":1}',1796063900994,1796063908524,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0,'');
INSERT INTO pipelines VALUES('gated','{"timeout":600,"createdAt":"2026-11-30T18:38:21.209Z","allowHTTP":false,"path":"","branch":"main","name":"gated","provider":"github","allowsUnsigned":true,"pollInterval":1,"allowFile":true,"workload":"gated","repo":"file:\/\/\/tmp\/volt-fixture\/repository","control":{"requiresApproval":true,"driftInterval":1,"drift":"repair"}}',1796063901209,1796063908426,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0,'');
INSERT INTO pipelines VALUES('old','{"name":"old","branch":"trunk","provider":"svn","allowFile":true,"allowsUnsigned":false,"pollInterval":1,"timeout":600,"createdAt":"2026-11-30T18:38:21.457Z","allowHTTP":false,"path":"","control":{"driftInterval":1,"drift":"repair"},"repo":"file:\/\/\/tmp\/volt-fixture\/svn","workload":"old"}',1796063901457,1796063908441,NULL,'2',0,'12990ba066be268c7434b69eab456a3d');
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    state TEXT NOT NULL, trigger TEXT NOT NULL, delivery TEXT, branch TEXT NOT NULL,
    old_commit TEXT, new_commit TEXT, note TEXT NOT NULL,
    accepted INTEGER NOT NULL, started INTEGER, finished INTEGER,
    child_pid INTEGER, child_start INTEGER
, decision TEXT, target TEXT, configuration TEXT, origin TEXT, snapshot TEXT, shape TEXT) STRICT;
INSERT INTO attempts VALUES(1,'site','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync',1796063901670,1796063901765,1796063901908,NULL,271684,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'399169bacce5f198','','728373e517962e0112ab87a369dffc46df56fe63','site - - ');
INSERT INTO attempts VALUES(2,'options','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync',1796063902036,1796063902077,1796063902219,NULL,271714,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'0e5d19a84e22b408','','728373e517962e0112ab87a369dffc46df56fe63-31b46f33c0bc13fe','options submodules lfs ');
INSERT INTO attempts VALUES(3,'gated','superseded','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync, superseded by attempt 4',1796063902386,1796063902433,1796063902897,NULL,NULL,'not started: attempt 4 was queued after it',NULL,'76dfc63f0dc32501','','728373e517962e0112ab87a369dffc46df56fe63','gated - - ');
INSERT INTO attempts VALUES(4,'gated','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync, approved by alice, as root (uid 0)',1796063902837,1796063902929,1796063903092,NULL,271802,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'76dfc63f0dc32501','','728373e517962e0112ab87a369dffc46df56fe63','gated - - ');
INSERT INTO attempts VALUES(5,'old','done','manual',NULL,'trunk',NULL,'1','manual sync',1796063903249,1796063903300,1796063903616,NULL,271853,'deployed because nothing ran before and 1 is the tip of ''trunk''; it is healthy',NULL,'d1a7e07921f3f7e1','35e501c8eaabb35a28980c79fe227c05','1-1d54b074fa3127de','old - - ');
INSERT INTO attempts VALUES(6,'site','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync',1796063903802,1796063903849,1796063904012,NULL,271894,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'399169bacce5f198','','efbf6e86c042d8a361262b3bb1c801eb43c2e207','site - - ');
INSERT INTO attempts VALUES(7,'options','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync',1796063904171,1796063904233,1796063904408,NULL,271934,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'0e5d19a84e22b408','','efbf6e86c042d8a361262b3bb1c801eb43c2e207-31b46f33c0bc13fe','options submodules lfs ');
INSERT INTO attempts VALUES(8,'gated','superseded','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync, superseded by attempt 9',1796063904588,1796063904635,1796063905154,NULL,NULL,'not started: attempt 9 was queued after it',NULL,'76dfc63f0dc32501','','efbf6e86c042d8a361262b3bb1c801eb43c2e207','gated - - ');
INSERT INTO attempts VALUES(9,'gated','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync, approved by alice, as root (uid 0)',1796063905106,1796063905180,1796063905303,NULL,272025,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'76dfc63f0dc32501','','efbf6e86c042d8a361262b3bb1c801eb43c2e207','gated - - ');
INSERT INTO attempts VALUES(10,'old','done','manual',NULL,'trunk','1','2','manual sync',1796063905591,1796063905637,1796063905923,NULL,272086,'deployed because 2, the tip of ''trunk'', differs from 1 that ran; it is healthy',NULL,'d1a7e07921f3f7e1','12990ba066be268c7434b69eab456a3d','2-498222c27ebb86b1','old - - ');
CREATE TABLE steps (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, state TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
INSERT INTO steps VALUES(1,'fetching',1796063901765);
INSERT INTO steps VALUES(1,'building',1796063901900);
INSERT INTO steps VALUES(2,'fetching',1796063902077);
INSERT INTO steps VALUES(2,'building',1796063902210);
INSERT INTO steps VALUES(3,'fetching',1796063902433);
INSERT INTO steps VALUES(4,'fetching',1796063902929);
INSERT INTO steps VALUES(4,'building',1796063903080);
INSERT INTO steps VALUES(5,'fetching',1796063903300);
INSERT INTO steps VALUES(5,'building',1796063903595);
INSERT INTO steps VALUES(6,'fetching',1796063903849);
INSERT INTO steps VALUES(6,'building',1796063903992);
INSERT INTO steps VALUES(7,'fetching',1796063904233);
INSERT INTO steps VALUES(7,'building',1796063904393);
INSERT INTO steps VALUES(8,'fetching',1796063904635);
INSERT INTO steps VALUES(9,'fetching',1796063905180);
INSERT INTO steps VALUES(9,'building',1796063905298);
INSERT INTO steps VALUES(10,'fetching',1796063905637);
INSERT INTO steps VALUES(10,'building',1796063905920);
CREATE TABLE log (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, line TEXT NOT NULL
) STRICT;
CREATE TABLE suspensions (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE,
    reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE verdicts (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE, commit_id TEXT NOT NULL,
    approved INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, origin TEXT,
    PRIMARY KEY (pipeline, commit_id)
) STRICT;
INSERT INTO verdicts VALUES('gated','728373e517962e0112ab87a369dffc46df56fe63',1,'alice, as root (uid 0)','',1796063902736,'');
INSERT INTO verdicts VALUES('gated','efbf6e86c042d8a361262b3bb1c801eb43c2e207',1,'alice, as root (uid 0)','',1796063904993,'');
CREATE TABLE marks (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, mark TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (attempt, mark)
) STRICT;
CREATE TABLE waits (
    attempt INTEGER PRIMARY KEY REFERENCES attempts(id) ON DELETE CASCADE, wait TEXT NOT NULL
) STRICT;
CREATE TABLE drift (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE, record TEXT NOT NULL
) STRICT;
INSERT INTO drift VALUES('gated','{"commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207","differences":[],"checkedAt":"2026-11-30T18:38:27.317Z","config":"sha256:1","attempt":9}');
INSERT INTO drift VALUES('old','{"attempt":10,"differences":[],"checkedAt":"2026-11-30T18:38:27.351Z","commit":"2","config":"sha256:1"}');
INSERT INTO drift VALUES('options','{"commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207","differences":[],"checkedAt":"2026-11-30T18:38:27.369Z","attempt":7,"config":"sha256:1"}');
INSERT INTO drift VALUES('site','{"commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207","differences":[],"checkedAt":"2026-11-30T18:38:27.377Z","config":"sha256:1","attempt":6}');
CREATE TABLE tidings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    attempt INTEGER, kind TEXT NOT NULL, commit_id TEXT, note TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    target TEXT NOT NULL, attempt INTEGER, kind TEXT NOT NULL, commit_id TEXT, note TEXT NOT NULL,
    at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL
) STRICT;
CREATE TABLE told (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    commit_id TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (pipeline, commit_id, kind)
) STRICT;
CREATE TABLE drained (
    one INTEGER PRIMARY KEY, generation INTEGER NOT NULL, position INTEGER NOT NULL
) STRICT;
CREATE TABLE secret_uses (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    digest TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (pipeline, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE, revision TEXT NOT NULL,
    configuration TEXT, reason TEXT NOT NULL, at INTEGER NOT NULL, advice TEXT, origin TEXT, PRIMARY KEY (pipeline, revision)
) STRICT;
CREATE TABLE retries (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE, attempt INTEGER NOT NULL,
    revision TEXT, target TEXT, count INTEGER NOT NULL, due INTEGER NOT NULL
, snapshot TEXT, origin TEXT) STRICT;
CREATE TABLE changes (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, kind TEXT NOT NULL,
    path TEXT NOT NULL
) STRICT;
INSERT INTO changes VALUES(6,'changed','text');
INSERT INTO changes VALUES(7,'changed','text');
INSERT INTO changes VALUES(8,'changed','text');
INSERT INTO changes VALUES(9,'changed','text');
INSERT INTO changes VALUES(10,'changed','text');
CREATE TABLE leftovers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline TEXT NOT NULL, repo TEXT NOT NULL, workload TEXT,
    kind TEXT
) STRICT;
CREATE TABLE totals (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    name TEXT NOT NULL, count INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (pipeline, name)
) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES('gated','done',2,1796063905303);
INSERT INTO totals VALUES('gated','superseded',2,1796063905154);
INSERT INTO totals VALUES('old','done',2,1796063905923);
INSERT INTO totals VALUES('options','done',2,1796063904408);
INSERT INTO totals VALUES('site','done',2,1796063904012);
CREATE TABLE durations (le INTEGER PRIMARY KEY, count INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
INSERT INTO durations VALUES(1000,10,2494);
INSERT INTO durations VALUES(2000,10,2494);
INSERT INTO durations VALUES(5000,10,2494);
INSERT INTO durations VALUES(10000,10,2494);
INSERT INTO durations VALUES(30000,10,2494);
INSERT INTO durations VALUES(60000,10,2494);
INSERT INTO durations VALUES(120000,10,2494);
INSERT INTO durations VALUES(300000,10,2494);
INSERT INTO durations VALUES(600000,10,2494);
INSERT INTO durations VALUES(1800000,10,2494);
INSERT INTO durations VALUES(9223372036854775807,10,2494);
CREATE TABLE images (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, name TEXT NOT NULL,
    digest TEXT NOT NULL, PRIMARY KEY (attempt, name)
) STRICT;
CREATE TABLE strays (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE,
    repository TEXT NOT NULL, expected TEXT NOT NULL, delivery TEXT, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('attempts',10);
INSERT INTO sqlite_sequence VALUES('tidings',0);
CREATE INDEX attempts_by_pipeline ON attempts(pipeline, id);
CREATE INDEX attempts_open ON attempts(pipeline, id) WHERE finished IS NULL;
CREATE INDEX attempts_by_delivery ON attempts(delivery) WHERE delivery IS NOT NULL;
CREATE INDEX steps_by_attempt ON steps(attempt);
CREATE INDEX log_by_attempt ON log(attempt);
CREATE TRIGGER waits_end AFTER UPDATE OF state ON attempts WHEN NEW.state <> 'accepted'
BEGIN DELETE FROM waits WHERE attempt = NEW.id; END;
CREATE INDEX outbox_by_due ON outbox(due);
CREATE TRIGGER attempts_tell_start AFTER UPDATE OF new_commit ON attempts
WHEN NEW.finished IS NULL AND NEW.state <> 'accepted' AND NEW.new_commit IS NOT NULL
    AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
BEGIN
    INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
    VALUES (NEW.pipeline, NEW.id, 'started', NEW.new_commit, NEW.note, coalesce(NEW.started, NEW.accepted));
END;
CREATE INDEX changes_by_attempt ON changes(attempt);
CREATE INDEX attempts_done ON attempts(pipeline, id) WHERE state = 'done';
CREATE INDEX attempts_failed ON attempts(pipeline, new_commit) WHERE state = 'failed';
CREATE TRIGGER waits_tell BEFORE INSERT ON waits
WHEN json_extract(NEW.wait, '$.kind') = 'approval'
    AND NOT EXISTS (SELECT 1 FROM waits WHERE attempt = NEW.attempt
        AND json_extract(wait, '$.kind') = 'approval')
BEGIN
    INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
    SELECT pipeline, id, 'approval', new_commit, json_extract(NEW.wait, '$.reason'), accepted
    FROM attempts WHERE id = NEW.attempt AND (SELECT json_type(settings, '$.notify')
        FROM pipelines WHERE name = attempts.pipeline) = 'object';
END;
CREATE TRIGGER polls_count AFTER UPDATE OF polled ON pipelines WHEN NEW.poll_error IS NOT NULL
BEGIN
    INSERT INTO totals VALUES (NEW.name, 'poll_error', 1, coalesce(NEW.polled, 0))
        ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
END;
CREATE TRIGGER attempts_tell_end AFTER UPDATE OF finished ON attempts
WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
    AND (NEW.state <> 'superseded' OR OLD.state <> 'accepted')
    AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
BEGIN
    INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
    VALUES (NEW.pipeline, NEW.id,
        CASE WHEN NEW.state <> 'done' THEN NEW.state
            WHEN EXISTS (SELECT 1 FROM marks WHERE attempt = NEW.id AND mark = 'automatic')
            THEN 'rolled-back' ELSE 'success' END,
        NEW.new_commit, NEW.note, NEW.finished);
END;
CREATE TRIGGER attempts_count AFTER UPDATE OF finished ON attempts
WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
BEGIN
    INSERT INTO totals VALUES (NEW.pipeline,
        CASE WHEN NEW.state = 'done'
            AND EXISTS (SELECT 1 FROM marks WHERE attempt = NEW.id AND mark = 'automatic')
            THEN 'rolled-back' ELSE NEW.state END, 1, NEW.finished)
        ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
    UPDATE durations SET count = count + 1, sum = sum + max(0, NEW.finished - NEW.started)
        WHERE NEW.started IS NOT NULL AND le >= NEW.finished - NEW.started;
END;
