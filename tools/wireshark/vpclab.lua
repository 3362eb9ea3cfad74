--[[
vpclab.lua: names of VPCs and ENIs for Wireshark and tshark, from the VPC header.

The VPC header is Geneve (RFC 8926) on UDP port 6081, which Wireshark dissects by itself. This
post-dissector reads the same bytes again and adds what the numbers in them mean:

    option class 0xFFF5 (vpclab)    0x01 source ENI, 0x02 destination ENI, 0x03 flags,
                                    0x04 flow cookie, 0x05 key of an encrypted packet,
                                    0x06 where a packet that was forwarded came from
    option class 0x0108 (Amazon)    1 endpoint, 2 attachment, 3 flow cookie: what a Gateway Load
                                    Balancer puts before the packets for its appliances

Names come from files that "vpcctl names" writes and "vpcctl capture" keeps current:

    VPCLAB_NAMES                    a file, or several with ":" between; else the preference
    vpclab.names                    "Names of VPCs and ENIs"; else the names of all labs,
    /run/vpclab/<lab>/names.tsv

Lines of such a file, with tabs between the fields:

    vpc   <VNI>    <vpc-…>  <name>
    eni   <eni-…>  <name>   <i-…>   <vpc-…>  <addresses>

Use:  tshark -X lua_script:vpclab.lua -r underlay.pcapng -Y 'vpclab.vpc == "web"'
or copy it to the folder "Personal Lua Plugins" of Help > About Wireshark > Folders.
--]]

local CLASS_VPCLAB = 0xfff5
local CLASS_AMAZON = 0x0108
local RUN_DIRECTORY = '/run/vpclab'
-- Seconds between two looks at the files.
local READ_AGAIN_S = 1
-- Byte offset of the VNI in a Geneve header, and bytes of the header without options.
local GENEVE_AT_VNI = 4
local GENEVE_HEADER_BYTES = 8
local OPTION_HEADER_BYTES = 4
-- An IPv4 address stands as ::ffff:a.b.c.d.
local IPV4_MAPPED = '00000000000000000000ffff'

local vpclab = Proto('vpclab', 'vpclab VPC header')

local fields = {
  vpc = ProtoField.string('vpclab.vpc', 'VPC'),
  vpc_id = ProtoField.string('vpclab.vpc_id', 'VPC id'),
  eni_src = ProtoField.string('vpclab.eni.src', 'Source ENI'),
  eni_src_name = ProtoField.string('vpclab.eni.src.name', 'Source ENI name'),
  eni_src_instance = ProtoField.string('vpclab.eni.src.instance', 'Source instance'),
  eni_dst = ProtoField.string('vpclab.eni.dst', 'Destination ENI'),
  eni_dst_name = ProtoField.string('vpclab.eni.dst.name', 'Destination ENI name'),
  eni_dst_instance = ProtoField.string('vpclab.eni.dst.instance', 'Destination instance'),
  flags = ProtoField.uint32('vpclab.flags', 'Flags', base.HEX),
  flag_edge = ProtoField.bool('vpclab.flags.via_edge', 'Via edge', 32, nil, 0x01),
  flag_tgw = ProtoField.bool('vpclab.flags.via_transit_gateway', 'Via transit gateway', 32, nil,
    0x02),
  flag_mirrored = ProtoField.bool('vpclab.flags.mirrored', 'Mirrored', 32, nil, 0x04),
  flag_encrypted = ProtoField.bool('vpclab.flags.encrypted', 'Encrypted', 32, nil, 0x08),
  key_id = ProtoField.uint32('vpclab.key.id', 'Key id', base.HEX),
  key_number = ProtoField.uint64('vpclab.key.number', 'Number under the key'),
  cookie = ProtoField.bytes('vpclab.cookie', 'Flow cookie'),
  forwarded_from = ProtoField.string('vpclab.forwarded_from', 'Forwarded, came from'),
  gwlb_endpoint = ProtoField.string('vpclab.gwlb.endpoint', 'GWLB endpoint'),
  gwlb_attachment = ProtoField.string('vpclab.gwlb.attachment', 'GWLB attachment'),
  gwlb_cookie = ProtoField.uint32('vpclab.gwlb.cookie', 'GWLB flow cookie', base.HEX)
}
local field_list = {}
for _, field in pairs(fields) do field_list[#field_list + 1] = field end
vpclab.fields = field_list

local malformed = ProtoExpert.new('vpclab.malformed', 'A Geneve option ends behind the header',
  expert.group.MALFORMED, expert.severity.WARN)
vpclab.experts = { malformed }

vpclab.prefs.names = Pref.string('Names of VPCs and ENIs', '',
  'Files that "vpcctl names" writes, ":" between them; empty for those of all labs')

local geneve_vni = Field.new('geneve.vni')

-- ---------------------------------------------------------------------------------------- names

-- vpcs[vni] = { { id, name }, … }: two labs may have the same VNI. enis[id] = { name, instance }.
local names = { vpcs = {}, enis = {} }
local read_at = nil
local read_text = nil

local function name_files ()
  local listed = os.getenv('VPCLAB_NAMES')
  if listed == nil or listed == '' then listed = vpclab.prefs.names end
  local paths = {}
  if listed ~= nil and listed ~= '' then
    for path in string.gmatch(listed, '[^:]+') do paths[#paths + 1] = path end
    return paths
  end
  if not Dir.exists(RUN_DIRECTORY) then return paths end
  for lab in Dir.open(RUN_DIRECTORY) do
    paths[#paths + 1] = RUN_DIRECTORY .. '/' .. lab .. '/names.tsv'
  end
  return paths
end

local function split (line)
  local parts = {}
  for part in string.gmatch(line .. '\t', '([^\t]*)\t') do parts[#parts + 1] = part end
  return parts
end

local function take_line (into, line)
  local part = split(line)
  if part[1] == 'vpc' then
    local vni = tonumber(part[2])
    if vni == nil then return end
    into.vpcs[vni] = into.vpcs[vni] or {}
    table.insert(into.vpcs[vni], { id = part[3] or '', name = part[4] or '' })
  elseif part[1] == 'eni' and part[2] ~= nil then
    into.enis[part[2]] = { name = part[3] or '', instance = part[4] or '' }
  end
end

-- Reads the files again when they may have changed; what cannot be read names nothing.
local function refresh_names ()
  local now = os.time()
  if read_at ~= nil and now - read_at < READ_AGAIN_S then return end
  read_at = now
  local texts = {}
  for _, path in ipairs(name_files()) do
    local file = io.open(path, 'r')
    if file ~= nil then
      texts[#texts + 1] = file:read('*a') or ''
      file:close()
    end
  end
  local text = table.concat(texts, '\n')
  if text == read_text then return end
  read_text = text
  local fresh = { vpcs = {}, enis = {} }
  for line in string.gmatch(text, '[^\r\n]+') do take_line(fresh, line) end
  names = fresh
end

-- --------------------------------------------------------------------------------------- header
-- Bits are taken with "bit", which Wireshark brings along whatever its version of Lua.

local function add_eni (tree, range, side)
  local id = 'eni-0' .. string.lower(tostring(range:bytes()))
  local known = names.enis[id]
  tree:add(fields['eni_' .. side], range, id)
  if known == nil then return id end
  if known.name ~= '' then
    tree:add(fields['eni_' .. side .. '_name'], range, known.name):set_generated()
  end
  if known.instance ~= '' then
    tree:add(fields['eni_' .. side .. '_instance'], range, known.instance):set_generated()
  end
  return known.name ~= '' and known.name or id
end

local function add_flags (tree, range)
  local item = tree:add(fields.flags, range)
  for _, name in ipairs({ 'flag_edge', 'flag_tgw', 'flag_mirrored', 'flag_encrypted' }) do
    item:add(fields[name], range)
  end
end

local function add_forwarded (tree, range)
  local is_ipv4 = string.lower(tostring(range(0, 12):bytes())) == IPV4_MAPPED
  local address = is_ipv4 and range(12, 4):ipv4() or range:ipv6()
  tree:add(fields.forwarded_from, range, tostring(address))
end

-- One option of ours. Returns what it says of a side: 'src' or 'dst', and the name.
local function add_vpclab_option (tree, kind, range)
  if kind == 0x01 and range:len() == 8 then return 'src', add_eni(tree, range, 'src') end
  if kind == 0x02 and range:len() == 8 then return 'dst', add_eni(tree, range, 'dst') end
  if kind == 0x03 and range:len() == 4 then add_flags(tree, range) end
  if kind == 0x04 and range:len() == 8 then tree:add(fields.cookie, range) end
  if kind == 0x05 and range:len() == 12 then
    tree:add(fields.key_id, range(0, 4))
    tree:add(fields.key_number, range(4, 8))
  end
  if kind == 0x06 and range:len() == 16 then add_forwarded(tree, range) end
end

local function add_amazon_option (tree, kind, range)
  local hex = string.lower(tostring(range:bytes()))
  if kind == 1 and range:len() == 8 then
    tree:add(fields.gwlb_endpoint, range, 'vpce-0' .. hex)
  elseif kind == 2 and range:len() == 8 then
    tree:add(fields.gwlb_attachment, range, hex)
  elseif kind == 3 and range:len() == 4 then
    tree:add(fields.gwlb_cookie, range)
  end
end

local function add_vpc (tree, range)
  local known = names.vpcs[range:uint()]
  if known == nil then return nil end
  local shown = {}
  for _, vpc in ipairs(known) do
    local name = vpc.name ~= '' and vpc.name or vpc.id
    tree:add(fields.vpc, range, name):set_generated()
    tree:add(fields.vpc_id, range, vpc.id):set_generated()
    shown[#shown + 1] = name
  end
  return table.concat(shown, ' or ')
end

-- Reads one header; `at` is its first byte. Nothing is believed: a length that leads behind the
-- bytes at hand ends the reading.
local function dissect_header (tvb, at, root)
  if at < 0 or tvb:len() < at + GENEVE_HEADER_BYTES then return end
  local options_end = at + GENEVE_HEADER_BYTES + bit.band(tvb:range(at, 1):uint(), 0x3f) * 4
  local held_end = math.min(options_end, tvb:len())
  local tree = root:add(vpclab, tvb:range(at, held_end - at))
  local vpc = add_vpc(tree, tvb:range(at + GENEVE_AT_VNI, 3))
  local ends = {}
  local here = at + GENEVE_HEADER_BYTES
  while here + OPTION_HEADER_BYTES <= held_end do
    local class = tvb:range(here, 2):uint()
    local kind = bit.band(tvb:range(here + 2, 1):uint(), 0x7f)
    local data_bytes = bit.band(tvb:range(here + 3, 1):uint(), 0x1f) * 4
    local data_at = here + OPTION_HEADER_BYTES
    if data_at + data_bytes > held_end then
      if options_end <= tvb:len() then tree:add_proto_expert_info(malformed) end
      break
    end
    if data_bytes > 0 then
      local range = tvb:range(data_at, data_bytes)
      if class == CLASS_VPCLAB then
        local side, name = add_vpclab_option(tree, kind, range)
        if side ~= nil then ends[side] = name end
      elseif class == CLASS_AMAZON then
        add_amazon_option(tree, kind, range)
      end
    end
    here = data_at + data_bytes
  end
  if vpc ~= nil then tree:append_text(', VPC ' .. vpc) end
  if ends.src ~= nil and ends.dst ~= nil then
    tree:append_text(', ' .. ends.src .. ' → ' .. ends.dst)
  end
end

function vpclab.init ()
  read_at = nil
end

function vpclab.dissector (_, _, root)
  local headers = { geneve_vni() }
  if #headers == 0 then return end
  refresh_names()
  for _, vni in ipairs(headers) do
    -- A header that Wireshark itself could not read whole has no VNI field, and none is read here.
    if vni.source ~= nil then dissect_header(vni.source, vni.offset - GENEVE_AT_VNI, root) end
  end
end

register_postdissector(vpclab)
