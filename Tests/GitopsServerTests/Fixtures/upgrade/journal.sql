CREATE TABLE pipelines (
    name TEXT PRIMARY KEY, settings TEXT NOT NULL, created INTEGER NOT NULL,
    polled INTEGER, poll_error TEXT, seen TEXT
, unsettled INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO pipelines VALUES('site','{"provider":"github","name":"site","workload":"site","pollInterval":1,"branch":"main","allowFile":true,"path":"","createdAt":"2026-11-30T03:57:00.206Z","allowHTTP":false,"allowsUnsigned":true,"repo":"file:\/\/\/tmp\/volt-fixture\/repository","control":{"driftInterval":1,"drift":"repair"},"timeout":600}',1796011020206,1796011027573,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0);
INSERT INTO pipelines VALUES('options','{"track":{"lfs":true,"submodules":true},"branch":"main","pollInterval":1,"path":"","allowHTTP":false,"timeout":600,"name":"options","allowsUnsigned":true,"repo":"file:\/\/\/tmp\/volt-fixture\/repository","createdAt":"2026-11-30T03:57:00.502Z","allowFile":true,"provider":"github","workload":"options","control":{"drift":"repair","driftInterval":1}}',1796011020502,1796011027597,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0);
INSERT INTO pipelines VALUES('gated','{"allowHTTP":false,"timeout":600,"allowFile":true,"name":"gated","branch":"main","allowsUnsigned":true,"control":{"drift":"repair","requiresApproval":true,"driftInterval":1},"repo":"file:\/\/\/tmp\/volt-fixture\/repository","workload":"gated","createdAt":"2026-11-30T03:57:00.744Z","pollInterval":1,"path":"","provider":"github"}',1796011020744,1796011027490,NULL,'efbf6e86c042d8a361262b3bb1c801eb43c2e207',0);
INSERT INTO pipelines VALUES('old','{"branch":"trunk","workload":"old","provider":"svn","createdAt":"2026-11-30T03:57:00.979Z","name":"old","pollInterval":1,"allowFile":true,"timeout":600,"repo":"file:\/\/\/tmp\/volt-fixture\/svn","path":"","allowsUnsigned":false,"control":{"drift":"repair","driftInterval":1},"allowHTTP":false}',1796011020979,1796011027490,NULL,'2',0);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
    state TEXT NOT NULL, trigger TEXT NOT NULL, delivery TEXT, branch TEXT NOT NULL,
    old_commit TEXT, new_commit TEXT, note TEXT NOT NULL,
    accepted INTEGER NOT NULL, started INTEGER, finished INTEGER,
    child_pid INTEGER, child_start INTEGER
, decision TEXT, target TEXT, configuration TEXT) STRICT;
INSERT INTO attempts VALUES(1,'site','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync',1796011021156,1796011021208,1796011021854,NULL,83703,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'399169bacce5f198');
INSERT INTO attempts VALUES(2,'options','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync',1796011021986,1796011022027,1796011022134,NULL,83732,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'0e5d19a84e22b408');
INSERT INTO attempts VALUES(3,'gated','superseded','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync, approved by alice, as root (uid 0), superseded by attempt 4',1796011022274,1796011022311,1796011022598,NULL,NULL,'not started: attempt 4 was queued after it',NULL,'76dfc63f0dc32501');
INSERT INTO attempts VALUES(4,'gated','done','manual',NULL,'main',NULL,'728373e517962e0112ab87a369dffc46df56fe63','manual sync',1796011022568,1796011022607,1796011022718,NULL,83790,'deployed because nothing ran before and 728373e is the tip of ''main''; it is healthy',NULL,'76dfc63f0dc32501');
INSERT INTO attempts VALUES(5,'old','done','manual',NULL,'trunk',NULL,'1','manual sync',1796011022854,1796011022891,1796011023040,NULL,83823,'deployed because nothing ran before and 1 is the tip of ''trunk''; it is healthy',NULL,'d1a7e07921f3f7e1');
INSERT INTO attempts VALUES(6,'site','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync',1796011023190,1796011023231,1796011023350,NULL,83853,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'399169bacce5f198');
INSERT INTO attempts VALUES(7,'options','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync',1796011023503,1796011023543,1796011023674,NULL,83886,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'0e5d19a84e22b408');
INSERT INTO attempts VALUES(8,'gated','superseded','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync, approved by alice, as root (uid 0), superseded by attempt 9',1796011023827,1796011023865,1796011024247,NULL,NULL,'not started: attempt 9 was queued after it',NULL,'76dfc63f0dc32501');
INSERT INTO attempts VALUES(9,'gated','done','manual',NULL,'main','728373e517962e0112ab87a369dffc46df56fe63','efbf6e86c042d8a361262b3bb1c801eb43c2e207','manual sync',1796011024205,1796011024260,1796011024418,NULL,83959,'deployed because efbf6e8, the tip of ''main'', differs from 728373e that ran; it is healthy',NULL,'76dfc63f0dc32501');
INSERT INTO attempts VALUES(10,'old','done','manual',NULL,'trunk','1','2','manual sync',1796011024739,1796011024774,1796011024971,NULL,84016,'deployed because 2, the tip of ''trunk'', differs from 1 that ran; it is healthy',NULL,'d1a7e07921f3f7e1');
CREATE TABLE steps (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, state TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
INSERT INTO steps VALUES(1,'fetching',1796011021208);
INSERT INTO steps VALUES(1,'building',1796011021847);
INSERT INTO steps VALUES(2,'fetching',1796011022027);
INSERT INTO steps VALUES(2,'building',1796011022122);
INSERT INTO steps VALUES(3,'fetching',1796011022311);
INSERT INTO steps VALUES(4,'fetching',1796011022607);
INSERT INTO steps VALUES(4,'building',1796011022707);
INSERT INTO steps VALUES(5,'fetching',1796011022891);
INSERT INTO steps VALUES(5,'building',1796011023034);
INSERT INTO steps VALUES(6,'fetching',1796011023231);
INSERT INTO steps VALUES(6,'building',1796011023343);
INSERT INTO steps VALUES(7,'fetching',1796011023543);
INSERT INTO steps VALUES(7,'building',1796011023665);
INSERT INTO steps VALUES(8,'fetching',1796011023865);
INSERT INTO steps VALUES(9,'fetching',1796011024260);
INSERT INTO steps VALUES(9,'building',1796011024411);
INSERT INTO steps VALUES(10,'fetching',1796011024774);
INSERT INTO steps VALUES(10,'building',1796011024963);
CREATE TABLE log (
    attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, line TEXT NOT NULL
) STRICT;
CREATE TABLE suspensions (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE,
    reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE verdicts (
    pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE, commit_id TEXT NOT NULL,
    approved INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (pipeline, commit_id)
) STRICT;
INSERT INTO verdicts VALUES('gated','728373e517962e0112ab87a369dffc46df56fe63',1,'alice, as root (uid 0)','',1796011022505);
INSERT INTO verdicts VALUES('gated','efbf6e86c042d8a361262b3bb1c801eb43c2e207',1,'alice, as root (uid 0)','',1796011024119);
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
INSERT INTO drift VALUES('gated','{"attempt":9,"config":"sha256:1","commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207","differences":[],"checkedAt":"2026-11-30T03:57:06.211Z"}');
INSERT INTO drift VALUES('options','{"config":"sha256:1","checkedAt":"2026-11-30T03:57:06.271Z","differences":[],"attempt":7,"commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207"}');
INSERT INTO drift VALUES('site','{"differences":[],"commit":"efbf6e86c042d8a361262b3bb1c801eb43c2e207","attempt":6,"checkedAt":"2026-11-30T03:57:06.291Z","config":"sha256:1"}');
INSERT INTO drift VALUES('old','{"differences":[],"commit":"2","attempt":10,"checkedAt":"2026-11-30T03:57:07.217Z","config":"sha256:1"}');
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
    configuration TEXT, reason TEXT NOT NULL, at INTEGER NOT NULL, advice TEXT, PRIMARY KEY (pipeline, revision)
) STRICT;
CREATE TABLE retries (
    pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE, attempt INTEGER NOT NULL,
    revision TEXT, target TEXT, count INTEGER NOT NULL, due INTEGER NOT NULL
) STRICT;
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
INSERT INTO totals VALUES('gated','done',2,1796011024418);
INSERT INTO totals VALUES('gated','superseded',2,1796011024247);
INSERT INTO totals VALUES('old','done',2,1796011024971);
INSERT INTO totals VALUES('options','done',2,1796011023674);
INSERT INTO totals VALUES('site','done',2,1796011023350);
CREATE TABLE durations (le INTEGER PRIMARY KEY, count INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
INSERT INTO durations VALUES(1000,10,2287);
INSERT INTO durations VALUES(2000,10,2287);
INSERT INTO durations VALUES(5000,10,2287);
INSERT INTO durations VALUES(10000,10,2287);
INSERT INTO durations VALUES(30000,10,2287);
INSERT INTO durations VALUES(60000,10,2287);
INSERT INTO durations VALUES(120000,10,2287);
INSERT INTO durations VALUES(300000,10,2287);
INSERT INTO durations VALUES(600000,10,2287);
INSERT INTO durations VALUES(1800000,10,2287);
INSERT INTO durations VALUES(9223372036854775807,10,2287);
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
CREATE TRIGGER attempts_tell_end AFTER UPDATE OF finished ON attempts
WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
    AND (NEW.state <> 'superseded' OR OLD.state <> 'accepted')
    AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
BEGIN
    INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
    VALUES (NEW.pipeline, NEW.id, CASE NEW.state WHEN 'done' THEN 'success' ELSE NEW.state END,
        NEW.new_commit, NEW.note, NEW.finished);
END;
CREATE INDEX changes_by_attempt ON changes(attempt);
CREATE INDEX attempts_done ON attempts(pipeline, id) WHERE state = 'done';
CREATE INDEX attempts_failed ON attempts(pipeline, new_commit) WHERE state = 'failed';
CREATE TRIGGER attempts_count AFTER UPDATE OF finished ON attempts
WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
BEGIN
    INSERT INTO totals VALUES (NEW.pipeline, NEW.state, 1, NEW.finished)
        ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
    UPDATE durations SET count = count + 1, sum = sum + max(0, NEW.finished - NEW.started)
        WHERE NEW.started IS NOT NULL AND le >= NEW.finished - NEW.started;
END;
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
