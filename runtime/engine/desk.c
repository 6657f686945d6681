/* Services and their open asks; see desk.h. */
#include "engine/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eva_desk {
  const eva_desk_service **services;
  int count, cap;
};

eva_desk *eva_desk_open(void) { return eva_alloc_zeroed(1, sizeof(eva_desk)); }

void eva_desk_close(eva_desk *desk) {
  if (!desk) return;
  free(desk->services);
  free(desk);
}

static int place_of(const eva_desk *desk, eva_text name) {
  for (int index = 0; index < desk->count; index++) {
    if (eva_text_equal(eva_text_of(desk->services[index]->name), name)) return index;
  }
  return -1;
}

void eva_desk_serve(eva_desk *desk, const eva_desk_service *service) {
  int place = place_of(desk, eva_text_of(service->name));
  if (place >= 0) {
    desk->services[place] = service;
    return;
  }
  if (desk->count == desk->cap) {
    desk->cap = desk->cap ? desk->cap * 2 : 8;
    desk->services = eva_realloc(desk->services, (size_t)desk->cap * sizeof *desk->services);
  }
  desk->services[desk->count++] = service;
}

/* ==== Slips ==== */

static uint32_t slot_of(uint64_t number) { return (uint32_t)number; }

static eva_slip *slip_of(const eva_desk_client *client, uint64_t number) {
  uint32_t slot = slot_of(number);
  eva_slip *slip = slot < client->slip_cap ? client->slips[slot] : NULL;
  return slip && slip->number == number ? slip : NULL;
}

static void slip_drop(eva_slip *slip) {
  slip->client->slips[slot_of(slip->number)] = NULL;
  free(slip);
}

static void slip_close(eva_slip *slip, eva_text outcome) {
  if (slip->service->close) slip->service->close(slip->service->context, slip, outcome);
  slip_drop(slip);
}

void eva_slip_answer(eva_slip *slip, const eva_reply *reply) {
  eva_desk_client *client = slip->client;
  uint64_t number = slip->number;
  slip_drop(slip);
  client->answer(client, number, reply);
}

void eva_slip_grant(eva_slip *slip, eva_text answer) {
  slip->is_granted = 1;
  slip->client->answer(slip->client, slip->number, &(eva_reply){.answer = answer});
}

void eva_slip_fail(eva_slip *slip, const char *code, const char *message) {
  eva_slip_answer(slip, &(eva_reply){.message = eva_text_of(message), .code = eva_text_of(code)});
}

static eva_slip *slip_new(eva_desk_client *client, uint64_t number) {
  uint32_t slot = slot_of(number);
  if (slot >= client->slip_cap) {
    uint32_t cap = client->slip_cap ? client->slip_cap : 16;
    while (cap <= slot) cap *= 2;
    client->slips = eva_realloc(client->slips, cap * sizeof *client->slips);
    memset(client->slips + client->slip_cap, 0, (cap - client->slip_cap) * sizeof *client->slips);
    client->slip_cap = cap;
  }
  eva_slip *slip = eva_alloc_zeroed(1, sizeof *slip);
  slip->client = client;
  slip->number = number;
  client->slips[slot] = slip;
  return slip;
}

/* ==== Clients ==== */

void eva_desk_ask(eva_desk *desk, eva_desk_client *client, uint64_t number, eva_text service, eva_text request) {
  int place = place_of(desk, service);
  if (place < 0) {
    char message[200];
    snprintf(message, sizeof message, "nobody serves \"%.*s\" at the desk of this run", (int)service.len, service.data);
    client->answer(client, number, &(eva_reply){.message = eva_text_of(message), .code = eva_text_of("not_found")});
    return;
  }
  eva_slip *slip = slip_new(client, number);
  slip->service = desk->services[place];
  slip->service->ask(slip->service->context, slip, request);
}

void eva_desk_tell(eva_desk *desk, eva_text service, eva_text message) {
  int place = place_of(desk, service);
  if (place >= 0 && desk->services[place]->tell) desk->services[place]->tell(desk->services[place]->context, message);
}

void eva_desk_end(eva_desk_client *client, uint64_t number, eva_text outcome) {
  eva_slip *slip = slip_of(client, number);
  if (slip) slip_close(slip, outcome);
}

void eva_desk_note(eva_desk_client *client, uint64_t number, eva_text text) {
  eva_slip *slip = slip_of(client, number);
  if (slip && slip->is_granted && slip->service->note) slip->service->note(slip->service->context, slip, text);
}

void eva_desk_leave(eva_desk_client *client) {
  for (int granted = 0; granted <= 1; granted++) { /* what it waits for first, so that it is not given to it now */
    for (uint32_t slot = 0; slot < client->slip_cap; slot++) {
      eva_slip *slip = client->slips[slot];
      if (!slip || slip->is_granted != granted) continue;
      client->slips[slot] = NULL;
      slip_close(slip, EVA_TEXT_NONE);
    }
  }
  free(client->slips);
  client->slips = NULL;
  client->slip_cap = 0;
}

int eva_desk_receive(eva_desk *desk, eva_desk_client *client, eva_frame_type type, eva_cursor *payload) {
  eva_text service, text;
  uint64_t number = eva_get_ask(payload, &service, &text);
  if (payload->bad || slot_of(number) >= EVA_DESK_SLOTS_MAX) return 0;
  if (type == EVA_FRAME_CLOSE) {
    eva_desk_end(client, number, text);
    return 1;
  }
  if (type == EVA_FRAME_NOTE) {
    eva_desk_note(client, number, text);
    return 1;
  }
  if (!service.data || !text.data) return 0;
  if (type == EVA_FRAME_TELL) {
    eva_desk_tell(desk, service, text);
    return 1;
  }
  if (slot_of(number) < client->slip_cap && client->slips[slot_of(number)]) return 0;
  eva_desk_ask(desk, client, number, service, text);
  return 1;
}
