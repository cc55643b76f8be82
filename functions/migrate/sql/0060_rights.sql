-- Rights management: reports of YouTube content owners, and the rows that they have.
CREATE SCHEMA rights;
GRANT USAGE ON SCHEMA rights TO showrunner_functions;

-- name: the folder of the owner's drops, and the owner in Studio's file names; other_names: as files name it too.
CREATE TABLE rights.content_owners (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    name            text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    other_names     text[] NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX content_owners_name ON rights.content_owners (lower(name));
CREATE INDEX content_owners_of_organisation ON rights.content_owners (organisation_id);

-- One row for each report of each dropped file. member: its path inside an archive.
CREATE TABLE rights.reports (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    owner_id        integer NOT NULL REFERENCES rights.content_owners ON DELETE CASCADE,
    object_key      text NOT NULL,
    version         text NOT NULL,
    member          text NOT NULL DEFAULT '',
    bytes           bigint NOT NULL,
    sha256          text,
    kind            text,
    frequency       text CHECK (frequency IN ('month', 'week', 'day')),
    period_start    date,
    period_end      date,
    status          text NOT NULL CHECK (status IN
                    ('loading', 'loaded', 'duplicate', 'outdated', 'replaced', 'refused', 'failed', 'waiting')),
    reason          text,
    notes           text[] NOT NULL DEFAULT '{}',
    unknown_columns text[] NOT NULL DEFAULT '{}',
    rows            bigint,
    accepted        bigint,
    rejected        bigint,
    totals          bigint,
    new_rows        bigint,
    changed_rows    bigint,
    removed_rows    bigint,
    replaced_by     uuid,
    confirmed_by    text,
    dropped_at      timestamptz NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    UNIQUE (object_key, version, member)
);
CREATE INDEX reports_newest ON rights.reports (organisation_id, dropped_at DESC, id DESC);
CREATE INDEX reports_of_organisation_kind ON rights.reports (organisation_id, kind, dropped_at DESC, id DESC);
CREATE INDEX reports_of_period ON rights.reports (owner_id, kind, period_start) WHERE status = 'loaded';
CREATE INDEX reports_of_content ON rights.reports (owner_id, sha256);

CREATE TABLE rights.rejects (
    report_id   uuid NOT NULL REFERENCES rights.reports ON DELETE CASCADE,
    row_number  bigint NOT NULL,
    line        bigint,
    column_name text,
    value       text,
    reason      text NOT NULL,
    key         text,
    PRIMARY KEY (report_id, row_number)
);

-- What became of the rows of snapshots: changed (column -> [before, after]) or removed (the whole row).
CREATE TABLE rights.history (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    kind            text NOT NULL,
    key             text NOT NULL,
    day             date NOT NULL,
    report_id       uuid NOT NULL,
    change          text NOT NULL CHECK (change IN ('changed', 'removed')),
    columns         jsonb NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX history_of_row ON rights.history (owner_id, kind, key, day);

-- Snapshots: each table has the rows of the newest report. digest is that of the row's text, by which an unchanged row is
-- known without looking at its columns. Without foreign keys: a million rows would check them one by one.
CREATE TABLE rights.claims (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    digest          uuid NOT NULL,
    first_day       date NOT NULL,
    changed_day     date NOT NULL,
    claim_id              text NOT NULL,
    video_id              text,
    channel_id            text,
    asset_id              text,
    reference_id          text,
    reference_video_id    text,
    claim_policy_id       text,
    asset_policy_id       text,
    custom_id             text,
    claim_status          text,
    claim_status_detail   text,
    claim_origin          text,
    claim_type            text,
    uploader              text,
    channel_display_name  text,
    video_title           text,
    content_type          text,
    views                 bigint,
    engaged_views         bigint,
    video_matching_length text,
    matching_duration     text,
    longest_match         text,
    claim_policy_monetize text,
    claim_policy_track    text,
    claim_policy_block    text,
    asset_policy_monetize text,
    asset_policy_track    text,
    asset_policy_block    text,
    claim_created_date    date,
    video_upload_date     date,
    video_duration_sec    integer,
    asset_title           text,
    tms                   text,
    director              text,
    season                text,
    episode_number        text,
    episode_title         text,
    release_date          text,
    hfa_song_code         text,
    isrc                  text,
    grid                  text,
    album                 text,
    record_label          text,
    upc                   text,
    iswc                  text,
    artist                text[],
    writers               text[],
    asset_labels          text[],
    is_shorts_eligible    boolean,
    PRIMARY KEY (owner_id, claim_id)
);

CREATE TABLE rights.assets (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    digest          uuid NOT NULL,
    first_day       date NOT NULL,
    changed_day     date NOT NULL,
    asset_id                      text NOT NULL,
    custom_id                     text,
    constituent_asset_id          text[],
    active_reference_id           text[],
    inactive_reference_id         text[],
    approx_daily_views            bigint,
    approx_daily_engaged_views    bigint,
    sr_approx_daily_engaged_views bigint,
    asset_type                    text,
    asset_title                   text,
    metadata_origination          text,
    season                        text,
    episode_title                 text,
    tms                           text,
    album                         text,
    label                         text,
    isrc                          text,
    upc                           text,
    grid                          text,
    artist                        text[],
    asset_labels                  text[],
    conflicting_owner             text[],
    conflicting_country_code      text[],
    other_isrc                    text[],
    active_claims                 bigint,
    match_policy                  text,
    is_merged                     boolean,
    ownership                     text,
    display_isrc                  text,
    your_isrc                     text,
    PRIMARY KEY (owner_id, asset_id)
);

CREATE TABLE rights.conflicts (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    digest          uuid NOT NULL,
    first_day       date NOT NULL,
    changed_day     date NOT NULL,
    asset_id                           text NOT NULL,
    conflicting_owner                  text NOT NULL,
    custom_id                          text,
    asset_type                         text,
    asset_title                        text,
    isrc                               text,
    ownership                          text,
    other_ownership                    text,
    constituent_asset_id               text[],
    asset_labels                       text[],
    artist                             text[],
    conflicting_country_code           text[],
    conflicting_owner_isrc             text,
    conflicting_owner_asset_title      text,
    conflicting_owner_artist           text,
    approx_daily_views                 bigint,
    approx_daily_engaged_views         bigint,
    engaged_views_in_conflict          bigint,
    lifetime_views_in_conflict         bigint,
    lifetime_engaged_views_in_conflict bigint,
    ownership_last_updated             date,
    ownership_origination              text,
    PRIMARY KEY (owner_id, asset_id, conflicting_owner)
);

CREATE TABLE rights.videos (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    digest          uuid NOT NULL,
    first_day       date NOT NULL,
    changed_day     date NOT NULL,
    video_id                            text NOT NULL,
    claim_id                            text NOT NULL,
    asset_id                            text NOT NULL,
    channel_id                          text,
    custom_id                           text,
    category                            text,
    channel_display_name                text,
    claim_origin                        text,
    content_type                        text,
    effective_policy                    text,
    eidr                                text,
    isrc                                text,
    third_party_video_id                text,
    other_owners_claiming               text[],
    upload_source                       text,
    video_privacy_status                text,
    video_title                         text,
    video_url                           text,
    claimed_by_this_owner               boolean,
    claimed_by_another_owner            boolean,
    comments                            bigint,
    views                               bigint,
    engaged_views                       bigint,
    comments_allowed                    text,
    embedding_allowed                   text,
    ratings_allowed                     text,
    offweb_syndicatable                 text,
    is_made_for_kids_effective_setting  text,
    is_made_for_kids_modifiable         text,
    is_made_for_kids_user_selection     text,
    display_ads_enabled                 text,
    in_video_ads_enabled                text,
    long_nonskippable_video_ads_enabled text,
    midrolls_enabled                    text,
    nonskippable_video_ads_enabled      text,
    overlay_ads_enabled                 text,
    postrolls_enabled                   text,
    prerolls_enabled                    text,
    skippable_video_ads_enabled         text,
    sponsored_cards_enabled             text,
    third_party_ads_enabled             text,
    time_published                      timestamptz,
    time_uploaded                       timestamptz,
    video_length                        integer,
    claim_ids text[] GENERATED ALWAYS AS (string_to_array(nullif(claim_id, ''), '|')) STORED,
    asset_ids text[] GENERATED ALWAYS AS (string_to_array(nullif(asset_id, ''), '|')) STORED,
    PRIMARY KEY (owner_id, video_id, claim_id, asset_id)
);

CREATE TABLE rights.reference_files (
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    digest          uuid NOT NULL,
    first_day       date NOT NULL,
    changed_day     date NOT NULL,
    reference_id          text NOT NULL,
    reference_video_id    text,
    asset_custom_id       text,
    asset_id              text,
    status                text,
    status_detail         text,
    date_created          date,
    reference_type        text,
    source_of_fingerprint text,
    asset_metadata_type   text,
    asset_title           text,
    provider              text,
    excluded_perc         text,
    exclusions            text,
    asset_labels          text[],
    asset_owners          text[],
    active_claims         bigint,
    length_sec            integer,
    PRIMARY KEY (owner_id, reference_id)
);

-- A row of a money report. Its amounts belong to the month of the report and to the month of their activity, which is
-- earlier for adjustments.
CREATE TABLE rights.money (
    report_id       uuid NOT NULL,
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    report_month    date NOT NULL,
    row_number      bigint NOT NULL,
    activity_month  date GENERATED ALWAYS AS
                    (coalesce(day - (extract(day FROM day)::integer - 1), report_month)) STORED,
    adjustment_type                                   text,
    day                                               date,
    country                                           text,
    currency                                          text,
    video_id                                          text,
    video_duration_sec                                integer,
    channel_id                                        text,
    asset_channel_id                                  text,
    asset_id                                          text,
    video_title                                       text,
    category                                          text,
    channel_display_name                              text,
    uploader                                          text,
    asset_title                                       text,
    asset_labels                                      text,
    asset_type                                        text,
    custom_id                                         text,
    isrc                                              text,
    upc                                               text,
    grid                                              text,
    artist                                            text,
    album                                             text,
    label                                             text,
    administer_publish_rights                         text,
    content_type                                      text,
    policy                                            text,
    claim_type                                        text,
    claim_origin                                      text,
    multiple_claims                                   text,
    offer                                             text,
    purchase_type                                     text,
    refund_chargeback                                 text,
    owned_views                                       bigint,
    engaged_views                                     bigint,
    monetized_views                                   bigint,
    monetized_views_audio                             bigint,
    monetized_views_audio_visual                      bigint,
    youtube_revenue_split_auction                     numeric,
    youtube_revenue_split_reserved                    numeric,
    youtube_revenue_split_partner_sold_youtube_served numeric,
    youtube_revenue_split_partner_sold_partner_served numeric,
    youtube_revenue_split                             numeric,
    partner_revenue_auction                           numeric,
    partner_revenue_reserved                          numeric,
    partner_revenue_partner_sold_youtube_served       numeric,
    partner_revenue_partner_sold_partner_served       numeric,
    partner_revenue                                   numeric NOT NULL,
    partner_revenue_pro_rata                          numeric,
    partner_revenue_per_sub_min                       numeric,
    retail_price_usd                                  numeric
) PARTITION BY RANGE (report_month);

CREATE TABLE rights.payments (
    report_id       uuid NOT NULL,
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    report_month    date NOT NULL,
    row_number      bigint NOT NULL,
    revenue_type          text NOT NULL,
    adjustment_type       text,
    notes                 text,
    currency_code         text,
    partner_revenue_usd   numeric NOT NULL,
    partner_revenue_local numeric
);

CREATE TABLE rights.deductions (
    report_id       uuid NOT NULL,
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    report_month    date NOT NULL,
    row_number      bigint NOT NULL,
    report_name                    text,
    channel_display_name           text,
    adjustment_type                text,
    revenue_source                 text,
    channel_id                     text NOT NULL,
    adsense_earnings_month         date,
    local_currency                 text,
    adjustment_amount              numeric,
    total_revenue                  numeric,
    us_sourced_revenue             numeric,
    tax_withheld_amount            numeric,
    tax_refund_amount              numeric,
    tax_withholding_rate           text,
    corrected_tax_withholding_rate text
);

CREATE INDEX money_of_report ON rights.money (report_id);
CREATE INDEX payments_of_report ON rights.payments (report_id);
CREATE INDEX deductions_of_report ON rights.deductions (report_id);

-- Sums of each loaded money report, so that a month is compared without reading millions of rows.
CREATE TABLE rights.money_sums (
    report_id       uuid NOT NULL REFERENCES rights.reports ON DELETE CASCADE,
    organisation_id uuid NOT NULL,
    owner_id        integer NOT NULL,
    report_month    date NOT NULL,
    activity_month  date NOT NULL,
    adjustment_type text NOT NULL,
    currency        text NOT NULL,
    rows            bigint NOT NULL,
    partner_revenue numeric NOT NULL,
    PRIMARY KEY (report_id, activity_month, adjustment_type, currency)
);
CREATE INDEX money_sums_of_month ON rights.money_sums (organisation_id, report_month);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rights TO showrunner_functions;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA rights TO showrunner_functions;
ALTER DEFAULT PRIVILEGES IN SCHEMA rights GRANT USAGE ON SEQUENCES TO showrunner_functions;

-- The partition of a month, made before its first rows come. It is attached, which no reader waits for.
CREATE FUNCTION rights.prepare_month(of_table text, month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begins    date DEFAULT date_trunc('month', month);
    ends      date DEFAULT begins + interval '1 month';
    partition text DEFAULT of_table || to_char(begins, '_YYYY_MM');
BEGIN
    IF of_table NOT IN ('money', 'history') OR month NOT BETWEEN '2005-01-01' AND '2100-01-01' THEN
        RAISE EXCEPTION 'rights.% has no partition for %', of_table, month;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('rights.' || partition, 0));
    IF to_regclass(format('rights.%I', partition)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE rights.%I (LIKE rights.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS '
                   'INCLUDING GENERATED)', partition, of_table);
    EXECUTE format('ALTER TABLE rights.%I ATTACH PARTITION rights.%I FOR VALUES FROM (%L) TO (%L)',
                   of_table, partition, begins, ends);
END $$;
REVOKE EXECUTE ON FUNCTION rights.prepare_month(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rights.prepare_month(text, date) TO showrunner_functions;
