"""Review campaigns: define, open, decide, sign off, close.

A campaign freezes a population with its evidence; reviewers draft decisions on its items; a
sign-off turns drafts into signed rows. Outcomes are computed from those rows alone. Functions
take the database; nothing here knows a screen or a network.

Owns the tables campaign, item, exclusion, draft, own_draft, decision, second_draft,
countersignature and emergency.
"""

from typing import TYPE_CHECKING

from passmuster import lazily

if TYPE_CHECKING:
    from passmuster.campaigns._acknowledging import acknowledge
    from passmuster.campaigns._around import (
        COUNTED,
        NAMED,
        Around,
        Candidate,
        around,
        candidates,
    )
    from passmuster.campaigns._batch import Batch, OwnRow, Row, Rows, Signed, Some
    from passmuster.campaigns._campaign import (
        Campaign,
        campaign,
        campaigns,
        items_in_order,
    )
    from passmuster.campaigns._changed import changed_since
    from passmuster.campaigns._closing import (
        Progress,
        by_reviewer,
        close,
        definition,
        each_outcome,
        outcomes_of,
        progress,
    )
    from passmuster.campaigns._coming import apply, room, wanted
    from passmuster.campaigns._countersigning import Countersign
    from passmuster.campaigns._course import (
        AgeClass,
        Course,
        Forecast,
        SignedBatch,
        Stand,
        ages,
        course,
        forecast,
        signed_by,
    )
    from passmuster.campaigns._deciding import (
        check_draft,
        check_own,
        clear_drafts,
        clear_own,
        draft_of,
        item_dossier,
        part_uids,
        save_draft,
        save_drafts,
        save_own,
    )
    from passmuster.campaigns._disputed import Disputed, Said, disputed
    from passmuster.campaigns._dossiers import digests, dossiers, material, parts_of, uri
    from passmuster.campaigns._emergency import (
        Emergency,
        Stopped,
        check_emergency,
        check_statement,
        credentials_of,
        emergencies_in,
        on_call,
        restore_due,
        shown,
        sign_emergency,
        subject_of,
    )
    from passmuster.campaigns._freezing import assignment_row, excluded_row, population_row
    from passmuster.campaigns._intake import (
        INTAKE_SCOPE,
        Arrival,
        answer,
        arrivals,
        check_purpose,
        keep_purpose,
        refuse_empty,
    )  # fmt: skip
    from passmuster.campaigns._links import cut_off, is_claim, link_words
    from passmuster.campaigns._opening import (
        Definition,
        Opened,
        file_name,
        open_campaign,
        source_runs,
    )
    from passmuster.campaigns._people import (
        ENDED,
        HERE,
        LEFT,
        NO_LEAD,
        NOT_KNOWN,
        PEOPLE,
        Answering,
        Portrait,
        people,
        portrait,
    )
    from passmuster.campaigns._population import ITEM_KINDS, OWNER
    from passmuster.campaigns._publishing import Published, publish
    from passmuster.campaigns._queue import (
        GROUPS,
        ORDERS,
        Group,
        QueueRow,
        count,
        find_item,
        groups,
        in_group,
        items_of,
        rank,
        rows,
        tier,
        tiers,
    )
    from passmuster.campaigns._rows import check_row
    from passmuster.campaigns._second_policy import policy_of
    from passmuster.campaigns._seconding import (
        Countersigned,
        Objection,
        SecondRow,
        check_second,
        clear_seconds,
        objections,
        said_on,
        save_seconds,
        second_like,
        second_rank,
        second_rows,
    )
    from passmuster.campaigns._signed import (
        SignedRow,
        named_owners,
        said_last,
        signed_counts,
        signed_rows,
    )
    from passmuster.campaigns._signing import prepare, sign_off
    from passmuster.campaigns._standing import reopen
    from passmuster.campaigns._suppliers import (
        UNREGISTERED,
        Held,
        Path,
        Vendor,
        held,
        supplier,
        supplier_facts,
        suppliers,
    )
    from passmuster.campaigns._unreviewed import Unreviewed, unreviewed
    from passmuster.campaigns._votes import asked, late
    from passmuster.campaigns._waiting import (
        Stranded,
        Waiting,
        check_hand_over,
        second_drafts,
        stranded,
        unlisted,
        waiting,
        waiting_for,
    )
else:
    __getattr__ = lazily.names(__name__, {
        "_acknowledging": "acknowledge",
        "_around": "COUNTED NAMED Around Candidate around candidates",
        "_batch": "Batch OwnRow Row Rows Signed Some",
        "_campaign": "Campaign campaign campaigns items_in_order",
        "_changed": "changed_since",
        "_closing": "Progress by_reviewer close definition each_outcome outcomes_of progress",
        "_coming": "apply room wanted",
        "_countersigning": "Countersign",
        "_course": "AgeClass Course Forecast SignedBatch Stand ages course forecast signed_by",
        "_deciding":
            "check_draft check_own clear_drafts clear_own draft_of item_dossier part_uids "
            "save_draft save_drafts save_own",
        "_disputed": "Disputed Said disputed",
        "_dossiers": "digests dossiers material parts_of uri",
        "_emergency":
            "Emergency Stopped check_emergency check_statement credentials_of emergencies_in "
            "on_call restore_due shown sign_emergency subject_of",
        "_freezing": "assignment_row excluded_row population_row",
        "_intake": "INTAKE_SCOPE Arrival answer arrivals check_purpose keep_purpose refuse_empty",
        "_suppliers":
            "UNREGISTERED Held Path Vendor held supplier supplier_facts suppliers",
        "_links": "cut_off is_claim link_words",
        "_opening": "Definition Opened file_name open_campaign source_runs",
        "_people":
            "ENDED HERE LEFT NO_LEAD NOT_KNOWN PEOPLE Answering Portrait people portrait",
        "_population": "ITEM_KINDS OWNER",
        "_publishing": "Published publish",
        "_queue":
            "GROUPS ORDERS Group QueueRow count find_item groups in_group items_of rank rows "
            "tier tiers",
        "_rows": "check_row",
        "_second_policy": "policy_of",
        "_seconding":
            "Countersigned Objection SecondRow check_second clear_seconds objections "
            "said_on save_seconds second_like second_rank second_rows",
        "_signed": "SignedRow named_owners said_last signed_counts signed_rows",
        "_unreviewed": "Unreviewed unreviewed",
        "_votes": "asked late",
        "_waiting":
            "Stranded Waiting check_hand_over second_drafts stranded unlisted waiting "
            "waiting_for",
        "_standing": "reopen",
        "_signing": "prepare sign_off",
    })  # fmt: skip

__all__ = [
    "COUNTED", "ENDED", "GROUPS", "HERE", "INTAKE_SCOPE", "ITEM_KINDS", "LEFT", "NAMED",
    "NOT_KNOWN", "NO_LEAD", "ORDERS", "OWNER", "PEOPLE", "UNREGISTERED", "AgeClass", "Answering",
    "Around", "Arrival", "Batch", "Campaign", "Candidate", "Countersign", "Countersigned", "Course",
    "Definition", "Disputed", "Emergency", "Forecast", "Group", "Held", "Objection", "Opened",
    "OwnRow", "Path", "Portrait", "Progress", "Published", "QueueRow", "Row", "Rows", "Said",
    "SecondRow", "Signed", "SignedBatch", "SignedRow", "Some", "Stand", "Stopped", "Stranded",
    "Unreviewed", "Vendor", "Waiting", "acknowledge", "ages", "answer", "apply", "around",
    "arrivals", "asked", "assignment_row", "by_reviewer", "campaign", "campaigns", "candidates",
    "changed_since", "check_draft", "check_emergency", "check_hand_over", "check_own",
    "check_purpose", "check_row", "check_second", "check_statement", "clear_drafts", "clear_own",
    "clear_seconds", "close", "count", "course", "credentials_of", "cut_off", "definition",
    "digests", "disputed", "dossiers", "draft_of", "each_outcome", "emergencies_in", "excluded_row",
    "file_name", "find_item", "forecast", "groups", "held", "in_group", "is_claim", "item_dossier",
    "items_in_order", "items_of", "keep_purpose", "late", "link_words", "material", "named_owners",
    "objections", "on_call", "open_campaign", "outcomes_of", "part_uids", "parts_of", "people",
    "policy_of", "population_row", "portrait", "prepare", "progress", "publish", "rank",
    "refuse_empty", "reopen", "restore_due", "room", "rows", "said_last", "said_on", "save_draft",
    "save_drafts", "save_own", "save_seconds", "second_drafts", "second_like", "second_rank",
    "second_rows", "shown", "sign_emergency", "sign_off", "signed_by", "signed_counts",
    "signed_rows", "source_runs", "stranded", "subject_of", "supplier", "supplier_facts",
    "suppliers", "tier", "tiers", "unlisted", "unreviewed", "uri", "waiting", "waiting_for",
    "wanted",
]  # fmt: skip
